"""The CTI server: the live model of calls, seats and queues, call control over AMI, screen pops over
WebSocket.
"""
