"""Every minute: passes and approaches that are due by the rules of the file of places -> each told once.

### Reads
The rules `[[alerts]]` in the file of places, `lake/passes/` and `lake/approaches/`.

### Writes
`alerts/passes/`, a small file an alert, which says who took it, and tells the channels of the rule: the log of this
task, a webhook, an e-mail, an MQTT broker. Where a broker is set, it also publishes the next pass and the next visible
pass of each site, as Home Assistant finds them by itself.

### Read by
Whoever goes out to look. An alert comes up to about a minute late, since a run begins each minute. A sender that is
killed between sending and noting it sends the same again, with the same `id`; nothing else is told twice.

### A failed run
A channel took nothing, or a file cannot be read; the next run tries again, until the pass begins. What came too late is
said in the log, and not sent.

### To run again
The next run comes within a minute. Pressing Trigger tells nothing twice; its form can send a test of each rule.
"""

from airflow.sdk import dag, task

from orbitlake.orchestration.assets import APPROACHES, PASSES
from orbitlake.orchestration.defaults import FIRST_DAY, RETRYING_EACH_MINUTE, TOLD
from orbitlake.orchestration.forms import params_of


@dag(
    dag_display_name="Alert passes",
    description="Passes and approaches that are due -> told once, some minutes before",
    schedule="* * * * *",
    start_date=FIRST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=RETRYING_EACH_MINUTE,
    **TOLD,
    doc_md=__doc__,
    tags=["alerts"],
    params=params_of("alert_passes"),
)
def alert_passes():
    @task(inlets=[PASSES, APPROACHES])
    def tell(**context) -> dict:
        from orbitlake.orchestration.pass_alerting import alert_passes

        return alert_passes(context)

    tell()


alert_passes()
