"""The two rows that identity relies on: the scope of unclaimed devices, which is number 1, and the epoch."""

from django.apps.registry import Apps as StateApps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    scope = apps.get_model("identity", "Scope").objects.create(title="unclaimed")
    if scope.pk != 1:
        raise RuntimeError("the first scope must have number 1")
    apps.get_model("identity", "Epoch").objects.create(pk=1, value=0)


def unmake(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("identity", "Epoch").objects.all().delete()
    apps.get_model("identity", "Scope").objects.filter(pk=1).delete()


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]
    operations = [migrations.RunPython(make, unmake)]
