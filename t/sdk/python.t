# The unmodified `openai` package for Python: see Sdk.pm, python.py.

use v5.36;

use FindBin;

use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use Sdk;

Sdk::test("$AIGW::build/sdk/python/bin/python", "$FindBin::Bin/python.py");
