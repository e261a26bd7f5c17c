# bank.py: a transfer that crashes half-way, and is mended by its supervisor
import json
import os
from pathlib import Path

from tinybeam import HTTPError, Router
from tinybeam.process import GenServer, ProcessExited, Supervisor, call

LEDGER = Path(os.environ.get("BANK_LEDGER", "ledger.json"))


class Bank(GenServer):
    """Its state is what the ledger says; whatever happens on the way to the next line of the ledger did not happen."""

    def init(self):
        return json.loads(LEDGER.read_text()) if LEDGER.exists() else {"ada": 100, "bob": 100}

    def handle_call(self, message, from_, accounts):
        match message:
            case ("transfer", payer, payee, amount):
                changed = dict(accounts)
                changed[payer] -= amount
                # An unknown payee crashes the bank right here, with the money gone from the payer. Nobody has to undo
                # that: the supervisor starts the bank again, from the ledger, where all the money still is.
                changed[payee] += amount
                write(changed)
                return changed, changed
            case "accounts":
                return accounts, accounts


def write(accounts):
    fresh = LEDGER.with_suffix(".new")
    fresh.write_text(json.dumps(accounts))
    fresh.replace(LEDGER)


router = Router()
router.children(
    [Supervisor.child_spec([Bank.child_spec(name="bank")], strategy="one_for_one", max_restarts=1000, max_seconds=1)]
)


@router.get("/accounts")
def accounts(request):
    return call("bank", "accounts")


@router.post("/transfers/{payer}/{payee}/{amount:int}")
def transfer(request, payer, payee, amount):
    try:
        return call("bank", ("transfer", payer, payee, amount))
    except ProcessExited as error:
        raise HTTPError(409, "the transfer failed, and no money has moved") from error
