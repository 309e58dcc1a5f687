# A project's own key at the upstream: its calls go up under it and nobody
# else's; what cannot be read is refused, never replaced. Issue 6; threats K01,
# K04, K09, K11, K13.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(time);

use AIGW;

my $token = 'master' . AIGW::random_text(39);
my $file = File::Temp->new;
my $other = AIGW::free_port();

print $file "$token\n";
close $file;

my $t = AIGW->new(start => 0, sim => ['--newapi', 'new', '--master-file',
    "$file"], http => "server { listen 127.0.0.1:$other; location /v1/ {"
    . ' ai_gateway on; ai_gateway_upstream other;'
    . ' proxy_pass http://sim4s; } }');
my $d = $t->dir;
my $own = $t->{secrets}{'the upstream\'s key'};

$t->secret('the master token', $token);
$t->configure;
$t->start;
set_upstream('4sapi', '--driver', 'newapi', '--master-token-file', "$file",
    '--master-user', 7);
set_upstream('other');

my %key = map { $_ => $t->project($_) } qw(alice bob);


sub set_upstream ($name, @more) {
    $t->run('upstream', 'set', $name, '--url', 'http://' . $t->upstream,
        '--key-file', $t->{subkey_file}, @more);
}


# The newest key there, which nobody may see.
sub newest () {
    my ($newest) = @{ JSON::PP::decode_json($t->sim->order('GET',
        '/tokens')) };
    my $secret = $newest->{seed} ? $newest->{key} : "sk-$newest->{key}";

    $t->secret("sub-key $secret", $secret);

    return $secret;
}


# What a call goes up under; '' if none went.
sub under ($who, %more) {
    my $n = () = $t->sim->seen;
    my $r = $t->chat($key{$who}, %more);
    my @seen = $t->sim->seen;

    is($r->status, 200, "$who: 200") or diag $r->body;

    return @seen > $n ? $seen[-1]{headers}{authorization} : '';
}


sub refused ($who, $code, $name) {
    my $n = () = $t->sim->seen;
    my $r = $t->chat($key{$who});
    my $row = $t->row($r);

    is($r->status, 503, "$name: 503");
    is($r->code, $code, '... its code');
    is($r->header('x-should-retry'), 'false', '... not to be tried again');
    is(scalar(() = $t->sim->seen), $n + ($code eq 'upstream_auth_error'),
        '... what went up');
    is($row->{verdict}, $code, '... its row');
    is($row->{cost}, '0', '... costs nothing');
    is($t->json('project', 'show', $who)->{held}, '0', '... holds nothing');
}


sub make ($who, @more) {
    my $subkey = $t->json('subkey', 'create', '--project', $who, @more);

    return ($subkey->{name}, newest());
}


# --- made, rotated, retired while nginx runs ---

is(under('alice'), "Bearer $own", 'so far under the upstream\'s own');

my ($name, $secret) = make('alice');

is(under('alice'), "Bearer $secret", 'then under the project\'s own');
is(under('alice', stream => JSON::PP::true), "Bearer $secret", '... a stream');
is(under('bob'), "Bearer $own", '... but nobody else\'s calls');

{
    local $t->{port} = $other;

    is(under('alice'), "Bearer $own", '... nor those to another upstream');
}

is($t->request(key => $key{alice}, path => '/v1/models')->status, 200,
    'models need none');

my ($bobs, $secret_of_bob) = make('bob');

is(under('bob'), "Bearer $secret_of_bob", 'each its own');
is(under('alice'), "Bearer $secret", '... and no other');

# Calls all the while: none is refused.
{
    my $rotate = AIGW::Process->start(["$AIGW::build/aigw", qw(subkey rotate
        --project alice)], env => { AIGW_STORE => "$d/store" });
    my (%status, %seen);

    while ($rotate->alive) {
        $status{ $t->chat($key{alice})->status }++;
    }

    is($rotate->wait, 0, 'rotated');
    is(join(' ', keys %status), 200, 'no call in the meantime is refused');
    $seen{$_}++ for map { $_->{headers}{authorization} } grep {
        $_->{path} =~ /chat/ } $t->sim->seen;
    ok($seen{"Bearer $secret"}, '... under the old one at first');
    $secret = newest();
    ok($seen{"Bearer $secret"}, '... then under the new one');
    is(under('alice'), "Bearer $secret", '... from then on');
}

$name = $t->json('subkey', 'show', '--project', 'alice')->{name};


# --- K09: what is at rest was changed ---

my $tamper = "$d/tamper";

system($ENV{CC} || 'cc', '-std=c11', '-D_GNU_SOURCE',
    "-I$AIGW::root/shared", '-o', $tamper, "$FindBin::Bin/tamper.c",
    "$AIGW::root/build/libaigw.a", '-llmdb', '-lcrypto', '-lpthread') == 0
    or die 'cannot compile tamper.c';

sub tamper (@args) {
    system($tamper, "$d/store", @args) == 0 or die "tamper @args";
}

tamper('swap', $name, $bobs);
refused($_, 'sub_key_unreadable', "K09 records swapped: $_") for qw(alice bob);
tamper('swap', $name, $bobs);
is(under('alice'), "Bearer $secret", 'swapped back');
tamper('steal', $name, $bobs);
refused('alice', 'sub_key_unreadable', 'K09 what is sealed is another\'s');
is(under('bob'), "Bearer $secret_of_bob", '... whose calls it goes under');
($name, $secret) = rotate('alice');
is(under('alice'), "Bearer $secret", 'another one mends it');
tamper('flip', $name);
refused('alice', 'sub_key_unreadable', 'K09 a bit flipped');
($name, $secret) = rotate('alice');
tamper('own', $name, '4sapi');
refused('alice', 'sub_key_unreadable', 'K09 the upstream\'s own in its place');
like(AIGW::slurp("$d/error.log"), qr/sub-key of project "alice" cannot be/,
    'error.log says why');
($name, $secret) = rotate('alice');

sub rotate ($who) {
    my $subkey = $t->json('subkey', 'rotate', '--project', $who);

    return ($subkey->{name}, newest());
}


# --- the upstream's words ---

for my $text ("Incorrect API key provided: $secret", 'token '
    . substr($secret, 3) . ' is bad', "$secret$secret", substr($secret, 3)
    . ' ' . substr($secret, 3))
{
    my $bare = substr $secret, 3;
    my $masked = $text =~ s/\Q$bare\E/'*' x length $bare/ger;
    my @at = map { int $_ * length($text) / 7 } 1 .. 6;

    for my $split ([], map { [$_] } @at, 20, 24 .. 40) {
        $t->sim->script(status => '400 Bad Request', chunked => 1,
            body => qq({"error":{"message":"$text"}}), split => $split,
            delay_ms => 3);

        my $body = $t->chat($key{alice})->body;

        # of one that is cut in two a few letters may be seen
        next if @$split && $body !~ /\Q$bare\E/
            && ($body =~ tr/*//) >= ($masked =~ tr/*//) - 8;
        is($body, qq({"error":{"message":"$masked"}}),
            "K04 the key in '" . substr($text, 0, 9) . "...' is masked");
    }
}

# Taken away behind our back.
{
    my ($id) = map { $_->{id} } grep { "sk-$_->{key}" eq $secret }
        @{ JSON::PP::decode_json($t->sim->order('GET', '/tokens')) };

    AIGW::HTTP->new($t->sim->port)->ask(method => 'DELETE',
        path => "/api/token/$id", headers => ['Authorization', $token,
            'New-Api-User', 7])->response;
    refused('alice', 'upstream_auth_error', 'one that is there no more');
}


# --- back ---

$t->run('subkey', 'retire', '--project', $_) for qw(alice bob);
is(under('alice'), "Bearer $own", 'retired: the upstream\'s own again');
is(under('bob'), "Bearer $own", '... everywhere');
is_deeply($t->json('upstream', 'orphans')->{items}, [], '... nothing is left');


# --- one of another form ---

set_upstream('4sapi', '--driver', 'seed');
($name, $secret) = make('alice', '--expires', '1h');
like($secret, qr/^sub_/, 'the origin\'s has another form');
is(under('alice'), "Bearer $secret", '... calls go up under it');
$t->sim->script(status => '400 Bad Request',
    body => qq({"error":{"message":"<$secret>"}}));
is($t->chat($key{alice})->body, '{"error":{"message":"<'
    . '*' x length($secret) . '>"}}', 'K04 ... masked all the same');


# --- nowhere ---

is_deeply([AIGW::Check::secrets($t)], [], 'K01 no sub-key in any file');
$t->run('store', 'export', "$d/export");
is_deeply([AIGW::Check::find($t, AIGW::slurp("$d/export"))], [],
    'K01 nor in an export');

$t->finish;
