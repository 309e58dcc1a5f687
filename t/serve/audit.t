# Every route that changes something stands in the audit log: who, from which
# address, what, and no secret. A route that is not in here fails. Threat M26.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Test::More;

use AIGW;
use AIGW::Serve;

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $api = '/admin/api';

sub last_record () {
    return $t->json('audit', 'list', '--limit', '1')->{items}[0];
}


# --- the routes that are no GET, as their one source has them ---

my $source = AIGW::slurp("$AIGW::root/admin_cli/serve/serve_routes.c");
my %method = (ADD => 'POST', DO => 'POST', SET => 'PATCH', PUT => 'PUT',
    DELETE => 'DELETE');
my @routes;

push @routes, "$method{$1} $api$2" while $source
    =~ /^ +(ADD|DO|SET|PUT|DELETE)\("([^"]+)"/gm;
push @routes, "$1 $api$2" while $source
    =~ /HANDLER\("(POST|PUT|PATCH|DELETE)",\s+API "([^"]+)"/g;
push @routes, "$1 $2" while $source
    =~ /ORIGIN\("(POST|PUT|PATCH|DELETE)",\s+"([^"]+)"/g;
cmp_ok(@routes, '>=', 36, 'routes that write');


# --- what they find ---

my $upstream = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5)
    or die $!;
my $models = fork // die $!;

if ($models == 0) {
    while (my $c = $upstream->accept) {
        my $body = '{"object":"list","data":[{"id":"learnt"}]}';

        while (defined(my $line = <$c>)) { last if $line =~ /^\r?\n/ }
        print $c "HTTP/1.1 200 OK\r\nContent-Length: ", length $body,
            "\r\nConnection: close\r\n\r\n$body";
        close $c;
    }

    POSIX::_exit(0);
}

END { kill 'TERM', $models if $models }

my $key = $t->secret('a key of the upstream', 'sk-planted-4c1d7e9f0b2a');
my $password = $t->secret('a password', 'pw-planted-77aa12bc90de');
my $next = $t->secret('another password', 'pw-planted-0a9b8c7d6e5f');
my ($bootstrap) = $t->{transcript} =~ /(aigwt_\w+)/;
my $call = $t->chat($t->project('paid'));
my %of = (user => 'ana', project => 'demo', key => 'laptop', model => 'm',
    setting => 'base_url', call => $call->id);
my ($caller, $link);

# it is shown once, and nowhere else
$t->{transcript} =~ s/\Q$bootstrap\E/(shown once)/g;
$t->secret('the token of store init', $bootstrap);

# an upstream where sub-keys are made
my $token = $t->secret('an access token', 'tok-planted-99ffee01');
my @file = (key => $t->secret_file('up', $key),
    master => $t->secret_file('master', $token));
my $keys = AIGW::Sim->new("$AIGW::build/aigw-sim", '--newapi', 'new',
    map { /^(?:key|master)$/ ? "--$_-file" : $_ } @file);

$t->run('upstream', 'set', 'keys', '--url', 'http://127.0.0.1:' . $keys->port,
    '--key-file', $file[1], '--driver', 'newapi', '--master-user', 7,
    '--master-token-file', $file[3]);
$t->run('upstream', 'set', 'up', '--url', 'http://127.0.0.1:'
    . $upstream->sockport, '--key-file', $file[1]);
is($call->status, 200, 'a call to give back');
$t->wait_rows(1);
$t->run('setting', 'set', 'signup', 'open');


# --- what they are asked, and what the log says of it ---

# In an order that works. "-": it changes nothing that is kept. By whom, if
# not by admin: of who is not known yet it is not told.
my @asked = (
    ['POST /admin/init', { token => $bootstrap, password => $password },
        'set user admin', 'api'],
    ["POST $api/users", { name => 'ana', quota => '5' }, 'create user ana'],
    ["PATCH $api/users/{user}", { quota => '6' }, 'set user ana'],
    ["POST $api/users/{user}/disable", {}, 'disable user ana'],
    ["POST $api/users/{user}/enable", {}, 'enable user ana'],
    ["POST $api/users/{user}/link", {}, 'create link'],
    ["POST $api/login/link", sub { { token => $link } }, 'take link', 'api'],
    ["POST $api/invites", {}, 'create invite'],
    ["DELETE $api/invites/{invite}", undef, 'delete invite'],
    ["POST $api/projects", { name => 'demo' }, 'create key default'],
    ["PATCH $api/projects/{project}", { quota => '7' }, 'set project demo'],
    ["POST $api/projects/{project}/disable", {}, 'disable project demo'],
    ["POST $api/projects/{project}/enable", {}, 'enable project demo'],
    ["POST $api/projects/{project}/credit", { id => 'a', amount => '1' },
        'credit project demo'],
    ["POST $api/subkeys", { project => 'demo', upstream => 'keys' },
        'activate subkey'],
    ["POST $api/subkeys/rotate", { project => 'demo', upstream => 'keys' },
        'drop subkey'],
    ["POST $api/subkeys/retire", { project => 'demo', upstream => 'keys' },
        'drop subkey'],
    ["POST $api/upstreams/orphans", { name => 'keys' }, '-'],
    ["POST $api/keys", { project => 'demo', name => 'laptop' },
        'create key laptop'],
    ["PATCH $api/keys/{key}", { quota => '1' }, 'set key laptop'],
    ["POST $api/keys/{key}/disable", {}, 'disable key laptop'],
    ["POST $api/keys/{key}/enable", {}, 'enable key laptop'],
    ["POST $api/keys/{key}/rotate", {}, 'rotate key laptop'],
    ["POST $api/keys/{key}/revoke", {}, 'revoke key laptop'],
    ["DELETE $api/keys/{key}", undef, 'delete key laptop'],
    ["PUT $api/models/{model}", { context => 7 }, 'create model m'],
    ["DELETE $api/models/{model}", undef, 'delete model m'],
    ["PUT $api/prices/{model}", { prompt => '1', completion => '2' },
        'set price m'],
    ["DELETE $api/prices/{model}", undef, 'delete price m'],
    ["PUT $api/upstreams/{upstream}", { key => $key,
        url => 'https://203.0.113.5' }, 'create upstream far'],
    ["POST $api/upstreams/{upstream}/test", {}, 'create model learnt'],
    ["PUT $api/settings/{setting}", { value => 'http://a/v1' },
        'set setting base_url'],
    ["POST $api/logs/{call}/refund", {}, 'refund call ' . $call->id],
    ["DELETE $api/projects/{project}", undef, 'delete project demo'],
    ["DELETE $api/users/{user}", undef, 'delete user ana'],
    ["POST $api/register", { name => 'bob', password => $password },
        'set user bob', 'api'],
    ["POST $api/login", { name => 'bob', password => $password }, '-'],
    ['POST /register', { username => 'eve', password => $password },
        'set user eve', 'api'],
    ['POST /login', undef, '-'],
    ['POST /project/create', { project_name => 'old', total_quota => 5 },
        'create key default'],
    ["POST $api/me/password", { old_password => $password,
        password => $next }, 'set user admin'],
    ["POST $api/logout", {}, 'logout user admin'],
);

is_deeply([sort map { $_->[0] } @asked], [sort @routes],
    'each of them is asked');

for my $asked (@asked) {
    my ($route, $json, $said, $by) = @$asked;
    my ($method, $path) = $route =~ /^(\S+) (.*)/;
    my $before = last_record()->{seq};

    $of{upstream} = $method eq 'PUT' ? 'far' : 'up';
    $path =~ s/\{(\w+)\}/$of{$1}/;
    $json = $json->() if ref $json eq 'CODE';

    my $r = $s->call($method, $path, token => $caller, $json
        ? (json => $json) : $route eq 'POST /login' ? (headers => [
            'Content-Type', 'application/x-www-form-urlencoded'],
            body => "username=bob&password=$password") : ());
    my $last = last_record();
    my $what = "$last->{action} $last->{object} " . ($last->{name} // '');
    my $seen = JSON::PP->new->canonical->encode($last);

    cmp_ok($r->status, '<', 300, "M26 $route") or diag($r->body);
    unlike($seen, qr/planted|aigwt_/, '... no secret in the log');

    $of{invite} = $r->json->{id} if $route eq "POST $api/invites";
    $link = $r->json->{token} if $route =~ m{user\}/link$};
    $caller = $t->secret('a token', $r->json->{data}{access_token})
        if $route eq 'POST /admin/init';
    $caller = $s->login('admin', $next) if $route =~ m{/me/password$};

    if ($said eq '-') {
        is($last->{seq}, $before, '... changes nothing, and leaves none');
        next;
    }

    cmp_ok($last->{seq}, '>', $before, '... leaves a record');
    like($what, qr/^\Q$said\E(?: |$)/, '... of what it did');
    is_deeply([@$last{qw(via actor from)}], ['api', $by // 'admin',
        '127.0.0.1'], '... with who, and from where');
}


# --- reading it ---

$caller = $s->login('admin', $next);

my $list = $s->call('GET', "$api/audit?limit=3&object=project/demo",
    token => $caller)->json;

is(scalar @{ $list->{items} }, 3, 'the log by the API');
is($list->{items}[0]{action}, 'delete', '... newest first');
is($s->call('GET', "$api/audit/verify", token => $caller)->json->{sound},
    JSON::PP::true, '... and that it holds');

my $bob = $s->login('bob', $password);

is($s->call('GET', "$api/$_", token => $bob)->status, 403,
    "a member may not look: $_") for qw(audit audit/verify);

done_testing();
