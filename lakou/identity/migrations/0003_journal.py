"""The journal, its head, and the triggers that keep both append-only.

On SQLite, Django alters a table by making it anew, which drops its triggers: a later migration that alters one of these
two must make them again.
"""

from django.apps.registry import Apps as StateApps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROWS, HEAD = "identity_journalrow", "identity_journalhead"

SQLITE = [
    f"CREATE TRIGGER journal_no_update BEFORE UPDATE ON {ROWS} BEGIN"
    " SELECT RAISE(ABORT, 'the journal is append-only'); END",
    f"CREATE TRIGGER journal_no_delete BEFORE DELETE ON {ROWS} BEGIN"
    " SELECT RAISE(ABORT, 'the journal is append-only'); END",
    f"CREATE TRIGGER journal_in_order BEFORE INSERT ON {ROWS}"
    f" WHEN NEW.seq IS NOT (SELECT count + 1 FROM {HEAD} WHERE id = 1) BEGIN"
    " SELECT RAISE(ABORT, 'the journal grows at its end'); END",
    f"CREATE TRIGGER journal_head_grows BEFORE UPDATE ON {HEAD}"
    " WHEN NEW.count IS NOT OLD.count + 1 OR NEW.id IS NOT OLD.id BEGIN"
    " SELECT RAISE(ABORT, 'the head of the journal goes forward by one'); END",
    f"CREATE TRIGGER journal_head_stays BEFORE DELETE ON {HEAD} BEGIN"
    " SELECT RAISE(ABORT, 'the journal is append-only'); END",
]
POSTGRES = [
    """CREATE FUNCTION journal_refuses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    f"""CREATE FUNCTION journal_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.seq IS DISTINCT FROM (SELECT count + 1 FROM {HEAD} WHERE id = 1) THEN
        RAISE EXCEPTION 'the journal grows at its end' USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$""",
    """CREATE FUNCTION journal_head_grows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.count IS DISTINCT FROM OLD.count + 1 OR NEW.id IS DISTINCT FROM OLD.id THEN
        RAISE EXCEPTION 'the head of the journal goes forward by one' USING ERRCODE = 'restrict_violation';
      END IF;
      RETURN NEW;
    END $$""",
    f"CREATE TRIGGER journal_no_change BEFORE UPDATE OR DELETE ON {ROWS}"
    " FOR EACH ROW EXECUTE FUNCTION journal_refuses()",
    f"CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON {ROWS}"
    " FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses()",
    f"CREATE TRIGGER journal_in_order BEFORE INSERT ON {ROWS} FOR EACH ROW EXECUTE FUNCTION journal_in_order()",
    f"CREATE TRIGGER journal_head_grows BEFORE UPDATE ON {HEAD} FOR EACH ROW EXECUTE FUNCTION journal_head_grows()",
    f"CREATE TRIGGER journal_head_stays BEFORE DELETE ON {HEAD} FOR EACH ROW EXECUTE FUNCTION journal_refuses()",
    f"CREATE TRIGGER journal_head_no_truncate BEFORE TRUNCATE ON {HEAD}"
    " FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses()",
]


def make_head(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("identity", "JournalHead").objects.create(pk=1, count=0, hash="0" * 64)


def make_triggers(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in POSTGRES if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0002_first_rows'),
    ]

    operations = [
        migrations.CreateModel(
            name='JournalRow',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('at_us', models.BigIntegerField(db_index=True)),
                ('act', models.CharField(db_index=True, max_length=40)),
                ('outcome', models.CharField(max_length=7)),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.BigIntegerField()),
                ('actor_name', models.CharField(max_length=160)),
                ('organisation', models.BigIntegerField()),
                ('subject', models.CharField(max_length=200)),
                ('address', models.CharField(max_length=45)),
                ('detail', models.TextField()),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'ordering': ('seq',),
            },
        ),
        migrations.CreateModel(
            name='JournalHead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('count', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='journal_has_one_head')],
            },
        ),
        migrations.RunPython(make_head, migrations.RunPython.noop),
        migrations.RunPython(make_triggers, migrations.RunPython.noop),
    ]
