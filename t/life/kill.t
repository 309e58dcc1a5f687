# The small tier of t/torture/kill.pl: kill -9 of workers and of everything
# under load, and the books after it. TEST_KILLS: twenty times as many.

use v5.36;
use FindBin;

$ENV{WORKER_KILLS} = int(($ENV{TEST_KILLS} // 200) / 20) || 1;
$ENV{ALL_KILLS} = 3;
$ENV{EVIDENCE} = 0;

my $file = "$FindBin::Bin/../torture/kill.pl";

do $file or die "$file: ", $@ || $!, "\n";
