# The pages of `aigw serve` in headless Chromium, as people use them: a link, a
# password, an invitation, the API page with its login and a route that is
# tried. No request to another origin, no error in the console, and what others
# named is text. Threats M21, M22.

use v5.36;

use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Serve;

my $sdk = $AIGW::build =~ s{/asan$}{}r . '/sdk';
my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $password = 'pw ' . AIGW::random_text(16);

$t->secret('password', $password);
$t->project('website', '--quota', '25');
$t->run('setting', 'set', 'signup', 'invite');

my %page = (
    origin => 'http://127.0.0.1:' . $t->port, name => 'admin',
    password => $password, pictures => $ENV{TEST_PICTURES},
    link => $t->json('user', 'link', 'admin')->{token},
    invite => $t->json('invite', 'create', '--quota', '3')->{token},
);

# node looks for modules where the script is
system('cp', "$FindBin::Bin/page.mjs", "$sdk/page-$$.mjs") == 0 or die;

my $p = AIGW::Process->start(['node', "$sdk/page-$$.mjs"],
    stderr => $t->dir . '/page.err',
    env => { PAGE => JSON::PP::encode_json(\%page) });
my $out = $p->output(120) // '';

$p->wait;
unlink "$sdk/page-$$.mjs";

my $seen = eval { JSON::PP::decode_json($out) } // {};

ok(%$seen, 'all of it was done') or diag(AIGW::slurp($t->dir . '/page.err'));
is($seen->{link}{who}, 'admin (admin)', 'a link lets in');
is($seen->{cookie}, '', 'M21 no script sees the session');
is_deeply([map { $_->[0] } @{ $seen->{link}{projects} }], ['website'],
    'and shows what there is');
like($seen->{wrong}, qr/wrong name or password/, 'a wrong password is told');
is_deeply($seen->{$_}, $seen->{link}, "$_: the same page")
    for qw(login again);
like($seen->{status} // '', qr/^200/, 'the API page: a route is tried');
like($seen->{tried} // '', qr/"name": "admin"/, '... and answers');
is($seen->{join}{who}, 'guest (member)', 'an invitation makes an account');
like($seen->{join}{projects}[0][0] // '', qr/No projects/,
    '... that sees nothing of others');
is_deeply($seen->{foreign}, [], 'M21 no request to another origin');

# what a browser says of a refusal is no error of the page
is_deeply([grep { !/status of 40[01]/ } @{ $seen->{console} }], [],
    'M22 no error in the console');

$t->finish;
