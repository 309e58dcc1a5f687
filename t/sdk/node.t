# The unmodified `openai` package for Node: see Sdk.pm, node.mjs. The package
# is found from where the script lies.

use v5.36;

use File::Copy qw(copy);
use FindBin;

use lib "$FindBin::Bin/../lib", $FindBin::Bin;
use Sdk;

my $sdk = "$AIGW::build/sdk";

copy("$FindBin::Bin/node.mjs", "$sdk/node.mjs") or die "$sdk: $! (make test)\n";
Sdk::test("$sdk/node", "$sdk/node.mjs");
