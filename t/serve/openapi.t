# The OpenAPI document says what the API does: it is one by the standard, has
# every route of the table and no other, and schemathesis, as an admin, finds
# neither a 5xx nor an answer that it does not allow. Threats M08, M20.

use v5.36;

use Cwd ();
use FindBin;
use JSON::PP ();
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Serve;

use constant { EXAMPLES => 8, SECONDS => 300 };

my $python = "$AIGW::build/sdk/python/bin";
my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $dir = $t->dir . '/secret';


# --- the document ---

sub write_json ($name, $value) {
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $fh JSON::PP->new->utf8->canonical->encode($value);
    close $fh;

    return "$dir/$name";
}


# All objects within a value.
sub objects ($value) {
    return (map { objects($_) } @$value) if ref $value eq 'ARRAY';
    return () if ref $value ne 'HASH';

    return ($value, map { objects($_) } values %$value);
}


# "get /admin/api/users" of the table in the source; pages are no part of it.
sub table () {
    my %method = (GET => 'get', ADD => 'post', DO => 'post', SET => 'patch',
        PUT => 'put', DELETE => 'delete');
    my $text = AIGW::slurp("$AIGW::root/admin_cli/serve/serve_routes.c");

    ($text) = $text =~ /^const serve_route_t +serve_routes\[\] = \{(.*?)^\};/ms
        or die 'no table';

    my @routes = $text =~ /^    ([A-Z]+)\(/mg;
    my @known = map {
        /^(\w+)\("([^"]*)"/ && $method{$1} ? "$method{$1} /admin/api$2"
            : /^\w+\("([A-Z]+)",\s+(API )?"([^"]*)"/
            ? lc($1) . ' ' . ($2 ? '/admin/api' : '') . $3
            : /^PAGE\(/ ? () : die "what is $_"
    } $text =~ /^    ([A-Z]+\([^;]*?\)),$/mg;

    cmp_ok(@known, '>', 40, 'the table was read');
    is(@known + (grep { $_ eq 'PAGE' } @routes), scalar @routes,
        'all of it');

    return @known;
}


my $r = $s->call('GET', '/openapi.json');
my $api = $r->json;
my $file = write_json('openapi.json', $api);

is($r->status, 200, '/openapi.json needs no account');
is($r->header('content-type'), 'application/json', 'its type');
is($s->call('GET', '/admin/openapi.json')->body, $r->body,
    'the same under /admin/');
is($s->call('GET', '/openapi.json', headers => ['If-None-Match',
    'W/' . $r->header('etag')])->status, 304, 'it is not sent twice');

my $p = AIGW::Process->start(["$python/python", '-m', 'openapi_spec_validator',
    '--schema', '3.1', $file], stderr => "$dir/validator.log");
my $said = $p->output(60);

is($p->wait, 0, 'it is OpenAPI 3.1') or diag($said);

my @in = map {
    my $path = $_;
    map { "$_ $path" } keys %{ $api->{paths}{$path} };
} keys %{ $api->{paths} };

is_deeply([sort @in], [sort(table())], 'every route of the table, no other');

my @operations = map { values %$_ } values %{ $api->{paths} };
my %tag = map { $_->{name} => 1 } @{ $api->{tags} };
my %used = map { $_ => 1 } map { @{ $_->{tags} } } @operations;

is_deeply([sort keys %used], [sort keys %tag], 'each tag is told, and used');

my %ids;

$ids{ $_->{operationId} }++ for @operations;
is_deeply([grep { $ids{$_} > 1 } keys %ids], [], 'each operation has a name');
is_deeply([map { $_->{operationId} } grep {
    !length($_->{summary} // '') || !$_->{description} || !$_->{'x-roles'}
        || ref $_->{security} ne 'ARRAY'
        || !@{ $_->{security} } != !@{ $_->{'x-roles'} }
} @operations], [], '... and says what it does and for whom');

my @untyped = map { my $o = $_; grep {
    my $schema = $o->{properties}{$_};
    !grep { $schema->{$_} } qw(type enum $ref anyOf)
} keys %{ $o->{properties} } } grep { ref $_->{properties} eq 'HASH' }
    objects($api);

is_deeply(\@untyped, [], 'each field has a type');
is_deeply([map { $_->{operationId} } grep {
    my ($content) = values %{ $_->{requestBody}{content} };

    $content->{schema}{additionalProperties}
        && $_->{operationId} ne 'session_token'
} grep { $_->{requestBody} } @operations], [],
    'no body takes what is not said');


# --- what it says is so ---

# An answer may have no field that the document does not name.
sub strict ($value) {
    my $copy = JSON::PP::decode_json(JSON::PP::encode_json($value));
    my @answers = (values %{ $copy->{components}{schemas} }, map {
        values %{ $_->{responses} }
    } map { values %$_ } values %{ $copy->{paths} });

    $_->{additionalProperties} = JSON::PP::false for grep {
        ref $_->{properties} eq 'HASH' && ($_->{type} // '') eq 'object'
    } map { objects($_) } @answers;

    return $copy;
}


sub seed () {
    $t->run('setting', 'set', 'base_url', 'http://127.0.0.1/v1');
    $t->run('user', 'create', $_) for qw(ana eve);
    $t->run('model', 'set', 'gpt-4o-mini');
    $t->run('price', 'set', 'gpt-4o-mini', '--prompt', '2.5', '--completion',
        10);
    $t->project('old');

    my $key = $t->project('demo');

    $t->key('demo', 'laptop');
    is($t->chat($key)->status, 200, 'a call is answered') for 1 .. 3;
    is($t->chat($key, model => 7)->status, 400, 'one is refused');

    return $s->user('root', '--admin');
}


# What must not be asked: it ends the session, or asks another machine.
my @not = qw(session_logout session_password upstream_test upstream_orphans
    subkey_create subkey_rotate subkey_retire);

sub schemathesis ($file, $token) {
    my $url = 'http://127.0.0.1:' . $t->port;
    my $p = AIGW::Process->start(["$python/schemathesis", '--config-file',
        "$FindBin::Bin/schemathesis.toml", 'run', $file, '--url', $url,
        '-H', "Authorization: Bearer $token", '--seed', 6,
        '--max-examples', EXAMPLES, '--suppress-health-check', 'all',
        '--phases', 'examples,coverage,fuzzing',
        map { ('--exclude-operation-id', $_) } @not],
        stderr => "$dir/schemathesis.err", env => {
            PYTHONPATH => $FindBin::Bin, SCHEMATHESIS_HOOKS => 'hooks',
            PYTHONDONTWRITEBYTECODE => 1, OWN_NAME => 'root',
            OWN_NUMBER => $t->json('user', 'show', 'root')->{id},
            map { $_ => '' } qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY),
        });
    my $said = $p->output(SECONDS + 60) // '';

    return ($p->wait >> 8, $said);
}


my $token = seed();
my $home = Cwd::getcwd();

chdir $dir or die "$dir: $!\n";

# what schemathesis may not ask
is($s->call('POST', '/admin/api/upstreams/4sapi/test', token => $token)->status,
    200, 'upstream_test');

my ($exit, $out) = schemathesis(write_json('strict.json', strict($api)),
    $token);
my ($selected) = $out =~ /Operations: +(\d+) selected/;

is($exit, 0, 'schemathesis finds nothing') or diag($out);
is($selected, @operations - @not, 'all of it was asked');
like($out, qr/Coverage.*passed/s, 'cases of each field');
unlike($out, qr/No test cases|not tested|Network/i, 'all of it was answered');
is($s->call('GET', '/admin/api/me', token => $token)->status, 200,
    'all along by the same session');


# --- it would be seen ---

my $wrong = strict($api);
my $me = $wrong->{components}{schemas}{SessionMe};

delete $wrong->{paths}{$_} for grep { !m{/me$} } keys %{ $wrong->{paths} };
delete $me->{properties}{role};
@{ $me->{required} } = grep { $_ ne 'role' } @{ $me->{required} };
($exit, $out) = schemathesis(write_json('wrong.json', $wrong), $token);
is($exit, 1, 'a field that the document lacks is found');
like($out, qr/'role' was unexpected/, 'by its name') or diag($out);

chdir $home or die "$home: $!\n";

is($s->call('POST', '/admin/api/logout', token => $token)->status, 204,
    'session_logout');

# A path may lead out of /admin/, to where the log of this test, unlike ours,
# has what was sent.
unlike(AIGW::slurp($t->dir . "/$_"), qr/\Q$token/, "no token in $_")
    for qw(aigw.log serve.log error.log);
delete $t->{secrets}{'token of root'};
$t->finish;
