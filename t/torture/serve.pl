# The sidecar stopped for a minute, and at any step for another, under load:
# t/serve/down.t at full size. Show 6; threat L10.

use v5.36;
use FindBin;

$ENV{STOP_SECONDS} //= 60;

my $file = "$FindBin::Bin/../serve/down.t";

do $file or die "$file: ", $@ || $!, "\n";
