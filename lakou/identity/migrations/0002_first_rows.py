"""The two rows that identity relies on: the scope of unclaimed devices, which is number 1, and the epoch."""

from django.db import migrations


def make(apps, schema_editor):
    scope = apps.get_model("identity", "Scope").objects.create(title="unclaimed")
    if scope.pk != 1:
        raise RuntimeError("the first scope must have number 1")
    apps.get_model("identity", "Epoch").objects.create(pk=1, value=0)


def unmake(apps, schema_editor):
    apps.get_model("identity", "Epoch").objects.all().delete()
    apps.get_model("identity", "Scope").objects.filter(pk=1).delete()


class Migration(migrations.Migration):
    dependencies = [("identity", "0001_initial")]
    operations = [migrations.RunPython(make, unmake)]
