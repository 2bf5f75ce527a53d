"""Putting the parts together. Nothing in here knows a platform or a tool: `bot/app.py` hands in what is plugged in.

In the order in which they are needed:

    storage     the Redis of the settings (or an embedded one), the data folder, the secret key, the mailbox
    platforms   the platforms that are set up, each with what it may work with
    house       what every role of a process needs
    intake      from a platform's event to the mailbox: limits, secrets, orders of colleagues
    models      the models behind the endpoint of the settings
    tracing     spans to where the operator wants them, if anywhere
    worker      from the mailbox to the answer: the loop, the tools, and what watches over them
"""
