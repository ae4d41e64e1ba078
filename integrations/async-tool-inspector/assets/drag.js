/** @file Drags of a pointer. */

/** Distance in pixels from which a press is a drag, and no click. */
const STILL = 4;

/**
 * Follows the pointer from a press to its end.
 *
 * @param {PointerEvent} pressed
 * @param {(across: number, down: number, at: PointerEvent) => void} move distances from the press, in pixels
 * @param {() => void} [click] if the pointer didn't move
 */
export function follow(pressed, move, click) {
  let hasMoved = false;
  const go = (/** @type {PointerEvent} */ event) => {
    const across = event.clientX - pressed.clientX;
    const down = event.clientY - pressed.clientY;
    hasMoved ||= Math.hypot(across, down) >= STILL;
    if (hasMoved) move(across, down, event);
  };
  const end = (/** @type {PointerEvent} */ event) => {
    removeEventListener("pointermove", go);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
    if (!hasMoved && event.type === "pointerup") click?.();
  };
  addEventListener("pointermove", go);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
}
