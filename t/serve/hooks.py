"""What t/serve/openapi.t has schemathesis leave alone: its own account, whose
number it finds in answers and would soon disable or delete."""

import os

import schemathesis

NAME, NUMBER = os.environ["OWN_NAME"], int(os.environ["OWN_NUMBER"])


def is_own(user):
    try:
        return user == NAME or int(user) == NUMBER
    except (TypeError, ValueError):
        return False


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path_parameters and is_own(case.path_parameters.get("user")):
        case.path_parameters["user"] = "ana"
