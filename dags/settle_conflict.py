"""When two files of one issue contradict each other: a person says which of them holds, and the lake follows.

### Reads
One file of `quarantine/`, and the issue that the lake holds. `ingest_oem` starts a run for each file that it finds in
conflict, once; the form takes the name of any other, such as one that a command or the archive job found.

### Writes
Nothing until somebody answers. `compare` writes what both files say and how far they are apart. `decide` waits, however
long: **Required Actions**, in the run, on the home page and under Browse, shows both side by side; whoever may trigger
this DAG may answer. `settle` writes the decision beside the file in `quarantine/`. *Keep the one in the lake* changes
no table. *Take the new one* puts its bytes into `raw/oem/` and replaces all tables of the issue as an ingestion does;
the old bytes go to `quarantine/`, with who decided and when, and can be taken from there. The same bytes are
`unchanged` from then on: nobody is asked again.

### Read by
Whoever is on duty: while a question is open, an alert `conflict-...` stands, and its run is at work, with `decide` in
orange, *awaiting input*. It holds up nothing: neither the next ingestion nor other questions. Once answered, by
whichever answer, the run is green. The tables are read as those of `ingest_oem`.

### A failed run
`compare`: the file is no longer in conflict, or no longer in `quarantine/`. `settle`: a file has changed since they
were compared, as by `python jobs/ingest_oem.py --settle`, or the new one fails a check. Nothing has changed.

### To run again
Clear the run: both files are compared anew and the question asked again. A killed `settle` goes on where it stopped,
and ends in the same bytes.
"""

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowFailException

from orbitlake.orchestration.assets import OEM_TABLES, RAW_OEM
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of
from orbitlake.orchestration.outcomes import announce, note, of_settling

# Those of oem.ingest.comparison, which brings numpy along.
OPTIONS = ["Keep the one in the lake", "Take the new one"]
MOST_OPEN_QUESTIONS = 1000


@dag(
    dag_display_name="Settle conflict",
    description="Two files of one issue that contradict each other -> a person says which holds",
    schedule=None,
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=MOST_OPEN_QUESTIONS,
    # It runs only when somebody asks: paused, it would let a conflict wait unseen.
    is_paused_upon_creation=False,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem", "alerts"],
    params=params_of("settle_conflict"),
)
def settle_conflict():
    @task(inlets=[RAW_OEM])
    def compare(params: dict, **context) -> dict:
        from orbitlake.oem.ingest import questions
        from orbitlake.oem.ingest.conflicts import SettleError
        from orbitlake.orchestration.conflicts import raise_question

        try:
            question = questions.question(params["file"])
        except SettleError as error:
            raise AirflowFailException(str(error)) from None
        raise_question(question)
        note(context, f"waits for an answer: {question['subject']}")
        return dict(question)

    @task(outlets=[RAW_OEM, *OEM_TABLES])
    def settle(answered: dict, file: str, shown: list, **context) -> list[dict]:
        from orbitlake.oem.ingest import batch, questions
        from orbitlake.oem.ingest.conflicts import SettleError
        from orbitlake.orchestration.alerting import board
        from orbitlake.orchestration.conflicts import clear_settled

        (option,), person = answered["chosen_options"], answered["responded_by_user"]
        try:
            outcomes = questions.answer(file, option, person["name"], answered["responded_at"], shown)
        except SettleError as error:
            raise AirflowFailException(str(error)) from None
        clear_settled(board())
        note(context, of_settling(outcomes))
        rows = batch.rows_written(outcomes)
        taken = sum(outcome["outcome"] == "taken" for outcome in outcomes)
        announce(context, {RAW_OEM: taken} | {table: rows[table.name] for table in OEM_TABLES})
        return batch.check(outcomes)

    compared = compare()
    decide = HITLOperator(
        task_id="decide",
        subject=compared["subject"],
        body=compared["body"],
        options=OPTIONS,
        # It waits for a person, who may be back in a week.
        execution_timeout=None,
    )
    settle(decide.output, compared["file"], compared["shown"])


settle_conflict()
