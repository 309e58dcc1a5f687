# Who may call: Show line 5, threats A01 to A19. Each refusal has the status
# and code of wire-formats 3.3, is valid JSON, reaches nobody and costs nothing.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::SHA qw(sha256_hex);
use MIME::Base64 ();
use Test::More;
use Time::HiRes qw(time sleep);

use AIGW;

my $t = AIGW->new(workers => 2);
my $key = $t->project('alice', '--models', 'gpt-4o-mini');
my $unknown;                            # has the form of a key, but is none


# An answer that refuses: status, code, all four members, nothing upstream.
sub refused ($name, $status, $code, $r) {
    my $e = ($r->json // {})->{error};

    is($r->status, $status, "$name: $status") or diag $r->body;
    is(ref $e eq 'HASH' ? $e->{code} : undef, $code, "$name: $code")
        or diag $r->body;
    is_deeply([sort keys %{ $e // {} }], [qw(code message param type)],
        "$name: an error as OpenAI's");
    is($r->header('content-type'), 'application/json', "$name: JSON");
    is($t->sim->count, 0, "$name: nothing upstream");

    return $r;
}


sub chat_with (@headers) {
    return $t->request(json => AIGW::chat_body(), headers => \@headers);
}


# A key that was made by the same program for another store.
{
    my $other = "$t->{dir}/other";
    my ($exit, $out) = $t->cli('store', 'init', $other);

    ($exit, $out) = $t->cli('project', 'create', 'x', '--store', $other,
        '--json');
    $unknown = JSON::PP::decode_json($out)->{key};
}


# --- the credential ---

my $r = refused('A01 no key', 401, 'invalid_api_key', chat_with());

is($r->header('www-authenticate'), 'Bearer', 'A01: WWW-Authenticate');

my $first = refused('A02 unknown key', 401, 'invalid_api_key',
    chat_with('Authorization', "Bearer $unknown"));

for ('A02 another unknown key') {
    my $second = refused($_, 401, 'invalid_api_key',
        chat_with('Authorization', 'Bearer '
            . JSON::PP::decode_json(($t->cli('project', 'create', 'y',
                '--store', "$t->{dir}/other", '--json'))[1])->{key}));

    is($second->body, $first->body, "$_: the same body");
    is_deeply([map { $_->[0] } @{ $second->{header_list} }],
        [map { $_->[0] } @{ $first->{header_list} }], "$_: the same headers");
}

my %bad = (
    'A03 last digit changed' => $key =~ s/(.)\z/$1 eq 'a' ? 'b' : 'a'/er,
    'A03 prefix only' => 'aigw_',
    'A03 upper case' => uc $key,
    'A03 one digit too many' => $key . 'a',
    'A03 an upstream\'s key' => $t->{secrets}{'the upstream\'s key'},
    'A08 one byte' => 'a',
    'A08 255 bytes' => 'a' x 255,
    'A09 quotes and formats' => q('%n%s../{}"<script>),
    'A09 high bytes' => "aigw_\x80\xff\xfe",
);

refused($_, 401, 'invalid_api_key',
    chat_with('Authorization', "Bearer $bad{$_}")) for sort keys %bad;

refused('A03 empty token', 401, 'invalid_api_key',
    chat_with('Authorization', 'Bearer '));
refused('A04 a tab for a space', 401, 'invalid_api_key',
    chat_with('Authorization', "Bearer\t$key"));
refused('A04 another scheme', 401, 'invalid_api_key',
    chat_with('Authorization', 'Basic ' . MIME::Base64::encode("a:$key", '')));
refused('A04 no scheme', 401, 'invalid_api_key',
    chat_with('Authorization', $key));

for my $size (8_000, 64_000) {
    $r = chat_with('Authorization', 'Bearer ' . 'a' x $size);
    like($r->status, qr/^(?:401|400|414|431)$/, "A08 $size bytes: refused");
    is($t->sim->count, 0, "A08 $size bytes: nothing upstream");
}

for my $name ('A09 NUL' , 'A09 CR') {
    my $byte = $name =~ /NUL/ ? "\0" : "\r";

    $r = $t->request(raw => "POST /v1/chat/completions HTTP/1.1\r\n"
        . "Host: a\r\nAuthorization: Bearer a${byte}b\r\n"
        . "Content-Length: 2\r\n\r\n{}");
    is($r->status, 400, "$name: 400");
    is($t->sim->count, 0, "$name: nothing upstream");
}

for my $second ($key, $unknown) {
    $r = $t->request(json => AIGW::chat_body(), headers =>
        ['Authorization', "Bearer $key", 'Authorization', "Bearer $second"]);
    is($r->status, 400, 'A11 two Authorization headers: 400');
    is($t->sim->count, 0, 'A11: nothing upstream');
}

for my $name (qw(x-api-key api-key x-goog-api-key)) {
    refused("A12 $name with another value", 400, 'multiple_credentials',
        chat_with('Authorization', "Bearer $key", $name, $unknown));
    refused("A12 $name alone", 401, 'invalid_api_key', chat_with($name, $key));
}

for my $name (qw(key api_key access_token)) {
    $r = refused("A13 ?$name=", 400, 'credentials_in_url', $t->request(
        path => "/v1/chat/completions?a=b&$name=$key", key => $key,
        json => AIGW::chat_body()));
}


# --- carriers that are right ---

my %good = (
    'A04 bearer' => ['Authorization', "bearer $key"],
    'A04 BEARER' => ['Authorization', "BEARER $key"],
    'A04 two spaces' => ['Authorization', "Bearer  $key"],
    'A04 spaces behind' => ['Authorization', "Bearer $key  "],
    'A12 the same key twice' =>
        ['Authorization', "Bearer $key", 'x-api-key', $key],
);

for my $name (sort keys %good) {
    $t->sim->reset;
    is(chat_with(@{ $good{$name} })->status, 200, "$name: 200");

    my ($seen) = $t->sim->seen;

    is($seen->{headers}{authorization},
        "Bearer $t->{secrets}{'the upstream\'s key'}",
        "$name: the upstream's own key goes up");
    unlike($seen->{raw}, qr/\Q$key\E|^(?:x-api-key|x-goog-api-key|api-key):/im,
        "$name: and nothing of the client's");
}

$t->sim->reset;


# --- key, project and user ---

my $n = 0;

# Names of a project and the key of a second key in it.
sub fresh (@options) {
    my $name = 'p' . ++$n;

    $t->project($name, @options);

    return ($name, $t->key($name, 'k'));
}

{
    my ($project, $k) = fresh();

    $t->json('project', 'disable', $project);
    like(refused('disabled project', 401, 'api_key_disabled',
        $t->chat($k))->json->{error}{message}, qr/project/, 'says which');
    $t->json('project', 'enable', $project);
    is($t->chat($k)->status, 200, 'enabled again');
    $t->sim->reset;

    $t->json('key', 'revoke', 'k', '--project', $project, '--yes');
    like(refused('revoked key', 401, 'api_key_disabled',
        $t->chat($k))->json->{error}{message}, qr/revoked/, 'says so');
}

{
    $t->json('user', 'create', 'ulla');

    my ($project, $k) = fresh('--user', 'ulla');

    $t->json('user', 'disable', 'ulla');
    like(refused('disabled user', 401, 'api_key_disabled',
        $t->chat($k))->json->{error}{message}, qr/user/i, 'says which');
}

{
    my ($other) = fresh();
    my ($project, $k) = fresh('--expires', '2s');
    my $called = $t->chat($k)->status;
    my $short = $t->key($other, 'short', '--expires', '1s');

    is($called, 200, 'A05 before the moment');
    $t->sim->reset;
    sleep 2.05;
    $r = refused('A05 expired project', 401, 'api_key_expired', $t->chat($k));
    like($r->json->{error}{message}, qr/\d{4}-\d\d-\d\dT/, 'with the date');
    unlike($r->body, qr/aigw_\w{5}/, 'and without the key');
    refused('A05 expired key', 401, 'api_key_expired', $t->chat($short));
}

{
    my ($project) = fresh();
    my $late = $t->key($project, 'late', '--expires', '2106-02-07T06:28:16Z');

    is($t->chat($late)->status, 200, 'A05 the year 2106');
}


# A06: the first request after the command returns, on every worker, also on
# connections that are open already.
{
    my ($project, $k) = fresh();
    my @open = map { $t->connect } 1 .. 8;
    my $body = AIGW::chat_body();

    is($_->ask(key => $k, json => $body)->response->status, 200,
        'A06 an open connection') for @open;

    for my $round (1 .. 5) {
        $t->json('project', 'disable', $project);
        is(join(' ', map { $_->ask(key => $k, json => $body)->response->status }
            @open), '401 ' x 7 . '401', "A06 round $round: refused at once");

        $t->json('project', 'enable', $project);
        is(join(' ', map { $_->ask(key => $k, json => $body)->response->status }
            @open), '200 ' x 7 . '200', "A06 round $round: let in at once");
    }

    $t->sim->reset;
}


# --- the model ---

my %model = (
    'A14 not in the list' => ['gpt-4o', 403, 'model_not_allowed'],
    'A18 a name that begins so' => ['gpt-4o-mini-2', 403, 'model_not_allowed'],
    'A18 its beginning' => ['gpt-4o-min', 403, 'model_not_allowed'],
    'A18 upper case' => ['GPT-4o-mini', 403, 'model_not_allowed'],
    'A19 number' => [5, 400, 'invalid_type'],
    'A19 null' => [undef, 400, 'invalid_type'],
    'A19 array' => [['gpt-4o-mini'], 400, 'invalid_type'],
    'A19 object' => [{}, 400, 'invalid_type'],
);

for my $name (sort keys %model) {
    my ($model, $status, $code) = @{ $model{$name} };
    my $r = refused($name, $status, $code, $t->chat($key, model => $model));

    is($r->json->{error}{param}, 'model', "$name: param");
}

$r = $t->chat($key, model => '');
is($r->status, 400, 'A19 an empty name: 400');

# A worker remembers some keys that came; none passes for another, and more than
# it remembers pass as well.
{
    my ($project, $k) = fresh();
    my @keys = ($k, map { $t->key($project, "six-$_") } 2 .. 6);
    my @right = grep { $t->chat($_)->status == 200 } (@keys) x 3, ($k) x 4;

    is(scalar @right, 22, 'six keys in turn');
    $t->sim->reset;

    my @near = map {
        my $other = $k;

        substr($other, $_, 1) =~ tr/0-9A-Za-z_/1-90B-ZAb-za-/;
        $other;
    } 0 .. length($k) - 1;

    is_deeply([grep { $t->chat($_)->status != 401 } @near], [],
        'A03 any one digit of a key changed');
    is($t->sim->count, 0, '... and nothing goes upstream');
    is($t->chat($k)->status, 200, '... the key itself does');
    $t->sim->reset;
}

{
    my ($project) = fresh('--models', 'gpt-4o*,claude-*');
    my $k = $t->key($project, 'narrow', '--models', '*-mini,o3');

    is($t->chat($k, model => 'gpt-4o-mini')->status, 200,
        'A14 in the lists of key and project');
    $t->sim->reset;
    refused('A14 in the project\'s only', 403, 'model_not_allowed',
        $t->chat($k, model => 'gpt-4o'));
    refused('A14 in the key\'s only', 403, 'model_not_allowed',
        $t->chat($k, model => 'o3'));
}

{
    my (undef, $k) = fresh();

    $t->json('price', 'set', 'gpt-4o', '--prompt', 1, '--completion', 2);
    $t->json('price', 'delete', '*', '--yes');
    is($t->chat($k, model => 'gpt-4o')->status, 200, 'a price of its own');
    $t->sim->reset;
    refused('no price', 404, 'model_not_found', $t->chat($k, model => 'o9'));
}

# K04: no answer of all these has a key in it, nor what the store knows it by.
{
    my @secrets = map { ($_, sha256_hex($_)) } values %{ $t->{secrets} },
        $unknown;
    my @told = grep {
        my $text = join "\n", $_->body, map { @$_ } @{ $_->{header_list} };

        grep { index($text, $_) >= 0 } @secrets;
    } @{ $t->{answers} };

    cmp_ok(scalar @{ $t->{answers} }, '>', 60, 'K04 answers, most refusals');
    is_deeply([map { $_->body } @told], [], 'K04 none has a key or its hash');
}

$t->finish;
