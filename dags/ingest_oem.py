"""Each day: NASA's ephemeris file -> oem_issues, oem_segments, state_vectors and the other OEM tables.

### Reads
The newest issue from the setting `ORBITLAKE_OEM_URL`, and what people dropped into `inbox/oem/`; or just the one source
that the form names. A URL of the form, and every redirect, must lead to a public host, unless the settings name the
host: `ORBITLAKE_ALLOWED_HOSTS`, or one of the feeds' own URLs.

### Writes
`raw/oem/` and the tables of the ephemeris, one folder an issue. `archive` reads each file, once: it writes the tables
of its issues to `staging/`, checks them there, and only then keeps the raw bytes. `tabulate` renames the tables to
their places, `oem_issues` last. `check` reads them back, changes nothing, and fails for each source that was rejected.
Between the tasks goes only where the raw file lies.

A file that contradicts an issue already held is kept in `quarantine/`, and no table changes. `conflicts` finds such
files, and `ask` starts a run of **Settle conflict** for each, once, where a person says which file holds. This run then
ends green, since it has done all that a machine can. That a question is open is told by its note; by a green `ask`,
which is skipped where there is nothing to ask or it was asked before; by the run of Settle conflict, which is at work
until somebody answers; and by an alert. Neither the next run nor the files that came with it wait for the answer.

### Read by
Analysts, the position page, anyone who plans around a reboost.

### A failed run
The tables are as they were, with yesterday's issue: what fails a check was never published. A file that cannot be read
is kept in `quarantine/` with its reason. What trying again cannot mend (a wrong name, a 404, a bad file) fails at once;
what it can (a server that is down or busy) is tried again with growing pauses.

### To run again
Clear the run or press Trigger: an issue that is held already is `unchanged` and rewrites nothing. Where a task was
killed between two renames, the retry, or the next run whatever it takes in, renames what still lies in `staging/`.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from orbitlake.orchestration.assets import OEM_TABLES, RAW_OEM
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING, TOLD
from orbitlake.orchestration.forms import params_of
from orbitlake.orchestration.outcomes import announce, note, of_ingestion


@dag(
    dag_display_name="Ingest OEM",
    description="NASA's daily ISS ephemeris -> its tables",
    schedule="0 6 * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING,
    **TOLD,
    doc_md=__doc__,
    tags=["oem", "daily"],
    params=params_of("ingest_oem"),
)
def ingest_oem():
    @task
    def download(params: dict, ti) -> list[dict]:
        from orbitlake.oem.ingest import batch
        from orbitlake.oem.ingest.delivery import DeliveryError, PermanentDeliveryError

        try:
            return batch.download(params["source"], is_last_try=ti.try_number > ti.max_tries)
        except PermanentDeliveryError as error:
            raise AirflowFailException(str(error)) from None
        except DeliveryError as error:
            # Without the pages that the HTTP client's own exceptions fill.
            raise AirflowException(str(error)) from None

    @task(outlets=[RAW_OEM])
    def archive(found: list[dict], **context) -> list[dict]:
        from orbitlake.oem.ingest import batch

        archived = batch.archive(found)
        announce(context, {RAW_OEM: sum(item["outcome"]["outcome"] == "ingested" for item in archived)})
        return archived

    @task(inlets=[RAW_OEM], outlets=OEM_TABLES)
    def tabulate(archived: list[dict], **context) -> list[dict]:
        from orbitlake.oem.ingest import batch

        outcomes = batch.tabulate(archived)
        note(context, of_ingestion(outcomes))
        rows = batch.rows_written(outcomes)
        announce(context, {table: rows[table.name] for table in OEM_TABLES})
        return outcomes

    @task
    def check(outcomes: list[dict]) -> list[dict]:
        from orbitlake.oem.ingest import batch
        from orbitlake.oem.ingest.steps import CheckError

        try:
            return batch.check(outcomes)
        except CheckError as error:
            # What does not fit today will not fit in ten seconds either.
            raise AirflowFailException(str(error)) from None

    @task
    def conflicts(outcomes: list[dict]) -> list[dict]:
        from orbitlake.oem.ingest import questions

        return questions.runs_of(outcomes)

    outcomes = tabulate(archive(download()))
    check(outcomes)
    TriggerDagRunOperator.partial(
        task_id="ask",
        trigger_dag_id="settle_conflict",
        # Asked before: the question is still open, or was answered.
        skip_when_already_exists=True,
        logical_date=None,
    ).expand_kwargs(conflicts(outcomes))


ingest_oem()
