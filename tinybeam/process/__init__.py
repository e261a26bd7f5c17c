"""The door of the processes' room: OTP in Python, on pykka's actors, with or without a server.

Owns:  the names that other rooms, and programs without HTTP, may import.
Knows: the files of this room.
Never: anything of HTTP or of the engine.
"""

from tinybeam.process import forking  # noqa: F401 - it makes itself known to who forks
from tinybeam.process.agent import Agent
from tinybeam.process.application import Application
from tinybeam.process.child_errors import (
    BadSpec,
    ChildNotFound,
    ChildPresent,
    ChildRestarting,
    ChildRunning,
    TooManyChildren,
)
from tinybeam.process.children import Children
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.destinations import call, cast, send
from tinybeam.process.dynamic_supervisor import DynamicSupervisor, Limits
from tinybeam.process.ending import exit, when_ended
from tinybeam.process.errors import (
    AlreadyStarted,
    BadReturn,
    CallTimeout,
    Ended,
    MailboxFull,
    NoProcess,
    ProcessExited,
    ReceiveTimeout,
    StartFailed,
    StartIgnored,
    UpgradeFailed,
)
from tinybeam.process.gauges import process_stats
from tinybeam.process.genserver import GenServer
from tinybeam.process.guest import is_guest
from tinybeam.process.here import Here, this_thread
from tinybeam.process.introspection import (
    Statistics,
    Traced,
    get_state,
    replace_state,
    resume,
    statistics,
    suspend,
    trace,
)
from tinybeam.process.links import demonitor, link, monitor, process_flag, self_ref, unlink
from tinybeam.process.loop_here import enter_loop, occupant
from tinybeam.process.messages import Down, Exit, Monitor, Request, Timeout
from tinybeam.process.names import register, registered, unregister, whereis
from tinybeam.process.outcomes import Done, Exited
from tinybeam.process.partition_supervisor import PartitionSupervisor
from tinybeam.process.process import Process
from tinybeam.process.producer import Producer, Wait
from tinybeam.process.pubsub import PubSub
from tinybeam.process.ready_queue import ReadyQueue, ready
from tinybeam.process.receiving import Call, receive
from tinybeam.process.receiving_async import receive_async
from tinybeam.process.ref import ProcessRef
from tinybeam.process.registry import Registry, Via
from tinybeam.process.results import Ignore, NoReply, Ok, Reply, Stop, reply
from tinybeam.process.roster import ChildCounts, ChildInfo
from tinybeam.process.supervisor import Supervisor
from tinybeam.process.tally import dead_letters
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskReply
from tinybeam.process.task_supervisor import TaskSupervisor
from tinybeam.process.timers import Timer, cancel_timer, send_after
from tinybeam.process.upgrade import Upgraded, upgrade
from tinybeam.process.visitor import Visitor

__all__ = [
    "Agent",
    "AlreadyStarted",
    "Application",
    "BadReturn",
    "BadSpec",
    "Call",
    "CallTimeout",
    "ChildCounts",
    "ChildInfo",
    "ChildNotFound",
    "ChildPresent",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "Children",
    "Done",
    "Down",
    "DynamicSupervisor",
    "Ended",
    "Exit",
    "Exited",
    "GenServer",
    "Here",
    "Ignore",
    "Limits",
    "MailboxFull",
    "Monitor",
    "NoProcess",
    "NoReply",
    "Ok",
    "PartitionSupervisor",
    "Process",
    "ProcessExited",
    "ProcessRef",
    "Producer",
    "PubSub",
    "ReadyQueue",
    "ReceiveTimeout",
    "Registry",
    "Reply",
    "Request",
    "StartFailed",
    "StartIgnored",
    "Statistics",
    "Stop",
    "Supervisor",
    "Task",
    "TaskReply",
    "TaskSupervisor",
    "Timeout",
    "Timer",
    "TooManyChildren",
    "Traced",
    "UpgradeFailed",
    "Upgraded",
    "Via",
    "Visitor",
    "Wait",
    "call",
    "cancel_timer",
    "cast",
    "child_spec",
    "dead_letters",
    "demonitor",
    "enter_loop",
    "exit",
    "get_state",
    "is_guest",
    "link",
    "monitor",
    "occupant",
    "process_flag",
    "process_stats",
    "ready",
    "receive",
    "receive_async",
    "register",
    "registered",
    "replace_state",
    "reply",
    "resume",
    "self_ref",
    "send",
    "send_after",
    "statistics",
    "suspend",
    "this_thread",
    "trace",
    "unlink",
    "unregister",
    "upgrade",
    "when_ended",
    "whereis",
]
