# A page in headless Chromium calls the gateway from another origin: with its
# origin in cors_origins it reads answers, streams and errors; without, the
# browser refuses and nothing goes upstream. Threat H17.

use v5.36;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Process;

my $page_port = AIGW::free_port();
my $t = AIGW->new(start => 0);
my $dir = $t->dir;
my $page = AIGW::slurp("$FindBin::Bin/page.html");
my $key = $t->project('alice');

$t->{http} = "server { listen 127.0.0.1:$page_port; root $dir/page; }";
$page =~ s/%%BASE_URL%%/'http:\/\/127.0.0.1:' . $t->port . '\/v1'/e;
$page =~ s/%%KEY%%/$key/;
mkdir "$dir/page" or die "$dir/page: $!\n";
open my $fh, '>', "$dir/page/page.html" or die "page.html: $!\n";
print $fh $page;
close $fh;

$t->run('model', 'set', 'gpt-4o-mini');
$t->configure;
$t->start;


# What the page saw, opened at this origin.
sub browse ($origin) {
    my $p = AIGW::Process->start(['chromium-headless-shell', '--no-sandbox',
        '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server',
        "--user-data-dir=$dir/secret/chromium", '--timeout=10000',
        '--virtual-time-budget=10000', '--dump-dom', "$origin/page.html"],
        stderr => "$dir/chromium.log");
    my $dom = $p->output(60) // '';

    $p->wait;

    my ($seen) = $dom =~ m{<pre id="seen">(\{.*\})</pre>}
        or die "no page:\n$dom\n" . AIGW::slurp("$dir/chromium.log");

    return JSON::PP::decode_json($seen);
}


my $origin = "http://127.0.0.1:$page_port";
my $other = "http://localhost:$page_port";
my %refused = map { $_ => { refused => 'TypeError' } }
    qw(chat wrong_key stream models);

is_deeply(browse($origin), \%refused,
    'no origin is set: the browser refuses each call');
is($t->sim->count, 0, 'nothing went upstream');
is(scalar($t->rows), 0, 'and no row was written');

$t->run('setting', 'set', 'cors_origins', "https://app.example,$origin");

my $seen = browse($origin);

is($seen->{chat}{status}, 200, 'chat') or diag(explain($seen));
is($seen->{chat}{finish}, 'stop', 'its answer can be read');
is($seen->{chat}{server}, undef, 'but not every header');
is($seen->{wrong_key}{status}, 401, 'a refusal can be read');
is($seen->{wrong_key}{code}, 'invalid_api_key', 'with its code');
like($seen->{stream}{text} // '', qr/^data: .*\ndata: \[DONE\]\n\n\z/s,
    'a stream');
is_deeply($seen->{models}, ['gpt-4o-mini'], 'models');

my %rows = map { $_->{id} => $_ } $t->wait_rows(3);

is(keys %rows, 3, 'three rows, none for preflights or models');

for my $name (qw(chat stream)) {
    is($rows{ $seen->{$name}{id} }{settled}, 'exact', "$name: metered");
}

is($rows{ $seen->{wrong_key}{id} }{verdict}, 'invalid_api_key',
    'the refusal has its row');

is_deeply(browse($other), \%refused, 'an origin that is not listed');
is($t->sim->count, 2, 'two calls went upstream in all');

unlink "$dir/page/page.html";
$t->expect_rows(3);
$t->finish;
