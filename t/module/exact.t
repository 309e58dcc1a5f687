# The small tier of t/torture/exact.pl: a cap that holds to the last unit under
# many clients at once.

use v5.36;
use FindBin;

my $san = $ENV{SANITIZE};

$ENV{SEEDS} = 1;
$ENV{CALLS} = $san ? 600 : 3000;
$ENV{CLIENTS} = $san ? 48 : 256;
$ENV{RELOAD_EVERY} = 0.3;
$ENV{EVIDENCE} = 0;

my $file = "$FindBin::Bin/../torture/exact.pl";

do $file or die "$file: ", $@ || $!, "\n";
