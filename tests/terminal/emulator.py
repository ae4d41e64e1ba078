"""A program on a pseudo-terminal, and the screen that a user would see."""

import fcntl
import os
import pty
import select
import struct
import termios
import time

import pyte

ROWS = 50


class Terminal:
    """Runs a program, feeds its output to an emulator, and types."""

    def __init__(self, argv, columns):
        self.columns = columns
        # The size is set before the program starts.
        master, slave = pty.openpty()
        self._fd = master
        self._set_size(columns)
        self._pid = os.fork()
        if self._pid == 0:
            os.close(master)
            os.login_tty(slave)
            os.environ["TERM"] = "xterm-256color"
            os.execvp(argv[0], argv)
        os.close(slave)
        self._screen = pyte.HistoryScreen(columns, ROWS, history=10_000, ratio=1)
        self._stream = pyte.ByteStream(self._screen)
        self.status = None

    def _set_size(self, columns):
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))

    def resize(self, columns):
        # What was drawn for the old width belongs on the old screen.
        while self._take():
            pass
        self.columns = columns
        self._screen.resize(ROWS, columns)
        self._set_size(columns)

    def type(self, text):
        os.write(self._fd, text.encode())

    def run(self, seconds, until=None):
        """Takes output for this time, or until a text is on the screen, or the program has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.status is None:
            if not self._take():
                if until is not None and self._shows(until):
                    return True
                time.sleep(0.02)
        return until is not None and self._shows(until)

    def _take(self):
        """Reads all that the program has written; false if there is nothing."""
        chunks = b""
        while len(chunks) < 1 << 16 and select.select([self._fd], [], [], 0)[0]:
            try:
                chunk = os.read(self._fd, 4096)
            except OSError:
                chunk = b""
            if not chunk:
                _, status = os.waitpid(self._pid, 0)
                self.status = os.waitstatus_to_exitcode(status)
                break
            chunks += chunk
        self._stream.feed(chunks)
        return bool(chunks)

    def _shows(self, text):
        return any(text in line for line in self.lines())

    def lines(self):
        """All lines, those that have left the screen first."""
        top = ["".join(row[x].data for x in range(self.columns)) for row in self._screen.history.top]
        return [line.rstrip() for line in [*top, *self._screen.display]]

    def text(self):
        return "\n".join(line for line in self.lines() if line)

    def close(self):
        if self.status is None:
            os.kill(self._pid, 9)
            os.waitpid(self._pid, 0)
        os.close(self._fd)
