/**
 * @file Checks of the page in a browser.
 *
 *     node main.js FOLDER PROGRAM [WORD]
 *
 * FOLDER has the installed packages and takes the pictures; PROGRAM is the example `show`. A word selects the checks with it in their name.
 */

import { Browser } from "./browser.js";
import { acting } from "./checks/acting.js";
import { crowd } from "./checks/crowd.js";
import { looking } from "./checks/looking.js";
import { reading } from "./checks/reading.js";
import { restarting } from "./checks/restarting.js";
import { watching } from "./checks/watching.js";

const [folder, program, word = ""] = process.argv.slice(2);
const browser = await Browser.launch(folder, program);
try {
  for (const checks of [watching, acting, reading, looking, restarting, crowd]) {
    for (const [name, check] of Object.entries(checks)) {
      if (!name.includes(word)) continue;
      const began = performance.now();
      try {
        const figures = await check(browser);
        const seconds = ((performance.now() - began) / 1000).toFixed(1);
        console.log(`PASS ${name} (${[figures, `${seconds} s`].filter(Boolean).join("; ")})`);
      } catch (error) {
        console.log(`FAIL ${name}\n     ${String(error?.stack ?? error).slice(0, 4_000).replaceAll("\n", "\n     ")}`);
        await browser.pictureOfFailure(name);
      }
      await browser.tidy();
    }
  }
  console.log("complete");
} finally {
  await browser.close();
}
