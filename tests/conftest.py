"""What holds for every test: signals work as in a terminal, however the tests were started."""

import signal

# Started in the background (nohup, some CI), this process is born with SIGINT ignored, and so would be every child: a
# test of Ctrl-C would test nothing. A caught signal is reset to its default in a child.
signal.signal(signal.SIGINT, signal.default_int_handler)
