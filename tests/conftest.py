"""Signals for whoever runs the tests in the background, where a shell or ``nohup`` has them ignored."""

import signal

for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        # A handler is not inherited as "ignored": what the tests start hears the signal.
        signal.signal(number, lambda *_: None)
