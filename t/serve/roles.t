# Who may call what: each route, by each role and by nobody, about one's own
# thing, another's and one that is not there. docs/ROLES.md says what comes of
# it; that it names every route, and no other, is tested first. Threats M04,
# M05, M06, M09; Show 2.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AIGW;
use AIGW::Serve;

# what is no path of ours is logged in a form of nginx's, not without tokens
my $t = AIGW->new(start => 0, server => "access_log off;\n");
my $s = AIGW::Serve->new($t);
my @roles = qw(nobody member auditor admin);


# --- the routes, and what is said of them ---

my $table = AIGW::slurp("$AIGW::root/admin_cli/serve/serve_routes.c")
    =~ s/.*^const serve_route_t  serve_routes\[\] = \{//msr;
my %who = (
    SERVE_ANYONE => [@roles], ADMIN => ['admin'],
    READERS => [qw(auditor admin)], OWNERS => [qw(member admin)],
    USERS => [qw(member auditor admin)],
);
my %verb = (ADD => 'POST', DO => 'POST', SET => 'PATCH');

# Entries of the table: name, method, path, roles, noun, verb, without.
sub routes () {
    my @found;

    while ($table =~ /^    ([A-Z]+)\((.*?)\),$/msg) {
        my ($macro, $text) = ($1, $2);
        my @part = map { s/^(?:API )?"(.*)"$/$1/r =~ s/^NULL$//r }
            $text =~ /((?:API )?"[^"]*"|\w+)/g;

        @part = ('GET', $part[0], 'SERVE_ANYONE') if $macro eq 'PAGE';

        my $handled = $macro =~ /^(?:HANDLER|ORIGIN|PAGE)$/;
        my $method = $handled ? shift @part : $verb{$macro} // $macro;
        my $path = shift @part;

        $path = "/admin/api$path" if !$handled || $text =~ /API "/;
        push @found, { name => "$method $path", method => $method,
            path => $path, roles => { map { $_ => 1 }
                @{ $who{ $part[0] } // die "who is $part[0]?" } },
            $handled ? () : (command => join(' ', grep { length }
                @part[1, 2]), without => $part[3] // '') };
    }

    return @found;
}

# "METHOD /path" => [cells of nobody, member, auditor, admin].
sub documented () {
    return map {
        /^\| `([A-Z]+ \S+)` \|(.*)\|$/
            ? ($1 => [map { s/^\s+|\s+$//gr } split /\|/, $2]) : ()
    } split /\n/, AIGW::slurp("$AIGW::root/docs/ROLES.md");
}

my @routes = routes();
my %documented = documented();
my $in_table = () = $table =~ /^    \w+\("/mg;

cmp_ok($in_table, '>', 40, 'M06 there are routes');
is(scalar @routes, $in_table, 'M06 all of them were read');
is_deeply([sort keys %documented], [sort map { $_->{name} } @routes],
    'M06 docs/ROLES.md has every one, and no other');

for my $route (@routes) {
    my $cells = $documented{ $route->{name} } // [];
    my $may = join ' ', grep { $route->{roles}{$_} } @roles;
    my $said = join ' ', map { ($cells->[$_] // '-') eq '-' ? () : $roles[$_] }
        0 .. 3;

    is($said, $may, "M06 $route->{name}: as it is documented");
}


# --- who, and whose ---

my %token = (nobody => undef, admin => $s->admin);
my %name = (member => 'zz-ana', auditor => 'zz-aud');
my $n = 0;

$token{member} = $s->user($name{member});
$token{auditor} = $s->user($name{auditor}, '--role', 'auditor');
$t->run('user', 'create', 'zz-bob');

my %owner = (own => 'zz-ana', other => 'zz-bob');
my (%key, %calls);

for my $whose (sort keys %owner) {
    my $user = $owner{$whose};

    $key{$whose} = $t->project("$user-p", '--user', $user);
    $t->run('key', 'create', '--project', "$user-p", '--name', "$user-k");
}

$s->call('PUT', '/admin/api/models/zz-model', token => $token{admin},
    json => {});

# A thing of its kind that is there for this call alone, as a path names it.
my %thing = (
    user => sub ($whose, $new) {
        return $owner{$whose} if !$new;

        my $user = $owner{$whose} . '-' . ++$n;

        $t->run('user', 'create', $user);
        return $user;
    },
    project => sub ($whose, $new) {
        return "$owner{$whose}-p" if !$new;

        my $project = "$owner{$whose}-p" . ++$n;

        $t->run('project', 'create', $project, '--user', $owner{$whose});
        return $project;
    },
    key => sub ($whose, $new) {
        my $key = $new ? $owner{$whose} . '-k' . ++$n : "$owner{$whose}-k";

        return $t->json('key', 'show', $key, '--project', "$owner{$whose}-p")
            ->{id} if !$new;
        return $t->json('key', 'create', '--project', "$owner{$whose}-p",
            '--name', $key)->{id};
    },
    invite => sub ($whose, $new) {
        $t->run('invite', 'create');
        return $t->json('invite', 'list', '--limit', 1)->{items}[0]{id};
    },
    call => sub ($whose, $new) {
        return $calls{$whose} if !$new && $calls{$whose};

        my $r = $t->chat($key{$whose});

        $t->row($r);
        return $calls{$whose} = $r->id;
    },
);
my %missing = (user => 'zz-none', project => 'zz-none-p', key => 'zz-none-k',
    invite => '0' x 12, call => '0' x 32);

# Values of path parameters that are nobody's.
my %common = (model => 'zz-model', upstream => '4sapi', setting => 'base_url',
    file => 'docs.css');

# What a route is asked with: body or query, by its name; a sub gets a number
# that is new.
my %with = (
    'POST /admin/api/login' => { json => { name => 'zz-none', password => 'x' },
        status => 401 },
    'POST /admin/api/login/link' => { json => { token => 'none' },
        status => 401 },
    'POST /admin/api/register' => { json => { name => 'zz-none',
        password => 'a password' }, status => 403 },
    'POST /register' => { json => { username => 'zz-none',
        password => 'a password' }, status => 403 },
    'POST /login' => { body => 'username=zz-none&password=x', headers => [
        'Content-Type' => 'application/x-www-form-urlencoded' ],
        status => 401 },
    'POST /admin/api/token' => { body => 'username=zz-none&password=x',
        headers => [ 'Content-Type' => 'application/x-www-form-urlencoded' ],
        status => 401 },
    'POST /admin/init' => { json => { token => 'x' x 40,
        password => 'a password' }, status => 403 },
    'POST /project/create' => sub ($i) { { json => {
        project_name => "zz-o$i", total_quota => 1 } } },
    'POST /admin/api/users' => sub ($i) { { json => { name => "zz-u$i" } } },
    'POST /admin/api/projects' => sub ($i) { { json => { name => "zz-n$i" } } },
    'PATCH /admin/api/users/{user}' => { json => { quota => '5' } },
    'PATCH /admin/api/projects/{project}' => { json => { quota => '5' } },
    'PATCH /admin/api/keys/{key}' => { json => { quota => '5' } },
    'POST /admin/api/projects/{project}/credit' =>
        sub ($i) { { json => { amount => '1', id => "zz-$i" } } },
    'PUT /admin/api/models/{model}' => { json => { max_output => 1000 } },
    'PUT /admin/api/prices/{model}' => { json => { prompt => '1',
        completion => '1' } },
    'PUT /admin/api/upstreams/{upstream}' => { json => {
        url => 'https://up.example.com', key => 'sk-x' }, upstream => 'zz-up' },
    'PUT /admin/api/settings/{setting}' => { json => {
        value => 'https://ai.example.com/v1' } },
    'POST /admin/api/keys' => sub ($i) { { json => { name => "zz-k$i",
        project => 'zz-ana-p' } } },
    map({ ("POST /admin/api/subkeys$_" => { json => { project => 'zz-ana-p' },
        status => 400 }) } '', '/rotate', '/retire'),
    'GET /admin/api/explain' => { query =>
        'model=gpt-4o-mini&project=zz-ana-p&key=zz-ana-k' },
);


# The kind of thing that a route is about: user, project, key, call; undef.
sub about ($route) {
    my ($last) = $route->{path} =~ /.*\{(\w+)\}/;

    return $last && $thing{$last} ? $last : undef;
}


# Of a route: what it is asked with about what is whose.
sub request ($route, $whose, $new) {
    my $with = $with{ $route->{name} } // {};

    $with = $with->(++$n) if ref $with eq 'CODE';

    my %request = map { $_ => $with->{$_} } grep { exists $with->{$_} }
        qw(json body query headers);
    my $path = $route->{path} =~ s[\{(\w+)\}][
        my $kind = $1;
        my $value = !$thing{$kind} ? $with->{$kind} // $common{$kind}
            // die "$route->{name}: what is a $kind?"
            : $whose eq 'missing' ? $missing{$kind}
            : $thing{$kind}->($whose, $new);

        $value =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger
    ]ger;

    $request{json} //= {}
        if $route->{method} =~ /^P/ && !defined $request{body};
    $path .= '?' . delete $request{query} if defined $request{query};

    return ($path, %request);
}


# Text of an answer in which nothing tells which thing was asked for.
sub told ($r, $path) {
    my ($which) = $path =~ m{.*/([^/?]+)};
    my $text = $r->status . ' ' . $r->body;

    for my $thing (values %missing, map({ ($_, "$_-p", "$_-k") } values %owner),
        values %calls, $path =~ m{[\w.-]+}g)
    {
        $text =~ s/'\Q$thing\E'/THING/g;
    }

    return $text;
}


# --- each route, each role ---

# What ends the caller's own session or changes it is not for a matrix.
my %apart = map { $_ => 1 } 'POST /admin/api/logout',
    'POST /admin/api/me/password';

for my $route (@routes) {
    my $kind = about($route);
    my $cells = $documented{ $route->{name} } or next;
    my $with = $with{ $route->{name} };
    my @faults;

    for my $i (0 .. 3) {
        my ($role, $cell) = ($roles[$i], $cells->[$i]);
        my %seen;

        next if $apart{ $route->{name} } && $cell ne '-';

        for my $whose ($kind ? qw(own other missing) : 'own') {
            my $new = $cell ne '-' && $route->{method} ne 'GET';
            my ($path, %request) = request($route, $whose, $new);
            my $r = $s->call($route->{method}, $path, %request,
                token => $token{$role}, $route->{roles}{nobody}
                    ? (from => '127.0.3.' . ++$n % 250) : ());
            my $good = ref $with eq 'HASH' && $with->{status} || '2\d\d';
            my $want = $cell eq '-' ? ($role eq 'nobody' ? 401 : 403)
                : $whose eq 'missing' || $whose eq 'other' && $cell eq 'own'
                ? 404 : $good;

            $seen{$whose} = told($r, $path);
            push @faults, "$role, $whose: " . $r->status . ' is not '
                . "$want, $path: " . substr $r->body, 0, 200
                if $r->status !~ /\A$want\z/;
            push @faults, "$role, $whose: names another user"
                if $role eq 'member' && $whose ne 'other'
                    && $r->body =~ /zz-bob/;
        }

        if ($kind && ($cell eq '-' || $cell eq 'own')) {
            push @faults, "$role: what is not there ($seen{missing}) and what"
                . " is another's ($seen{other}) differ"
                if $seen{missing} ne $seen{other};
            push @faults, "$role: even the own one tells"
                if $cell eq '-' && $seen{own} ne $seen{missing};
        }
    }

    is_deeply(\@faults, [], "M06 M05 $route->{name}");
}


# --- M05: things of others in queries and bodies ---

# Fields of a route's query or body.
my %command = map { $_->{name} => $_ } @{ $t->json('help')->{commands} };

sub parameters ($route) {
    my $command = $command{ $route->{command} // '' } or return;
    my %without = map { $_ => 1 } split /,/, $route->{without};
    my @arguments = @{ $command->{arguments} };
    my $in_path = () = $route->{path} =~ /\{/g;
    my $where = $route->{method} =~ /^P/ ? 'json' : 'query';

    return map { [$where, lc $_->{name} =~ tr/-/_/r =~ s/_file$//r] }
        @arguments[$in_path .. $#arguments],
        grep { !$without{ $_->{name} } } @{ $command->{options} };
}

my $looked = 0;

for my $route (grep { $documented{ $_->{name} }
    && $documented{ $_->{name} }[1] ne '-' && !$apart{ $_->{name} } } @routes)
{
    my %kind = (user => 'user', project => 'project', key => 'key',
        call => 'call');

    for my $parameter (parameters($route)) {
        my ($where, $name) = @$parameter;
        my $kind = $kind{$name} or next;
        my (%seen, %status);

        $looked++;

        for my $whose (qw(other missing)) {
            for my $by (qw(name id)) {
                my $value = $whose eq 'missing' ? ($by eq 'id' ? '99999999'
                        : $missing{$kind})
                    : $thing{$kind}->('other', 0);

                $value = $t->json($kind, 'show', $value)->{id}
                    if $whose eq 'other' && $by eq 'id' && $kind =~ /user|proj/;
                $value = 'zz-bob-k' if $whose eq 'other' && $by eq 'name'
                    && $kind eq 'key';

                my ($path, %request) = request($route, 'own', 0);

                if ($where eq 'query') {
                    $path =~ s/[?&]$name=[^&]*//;
                    $path .= ($path =~ /\?/ ? '&' : '?') . "$name=$value";

                } else {
                    $request{json}{$name} = "$value";
                }

                my $r = $s->call($route->{method}, $path, %request,
                    token => $token{member});

                $status{"$whose $by"} = $r->status;
                $seen{"$whose $by"} = $r->status . ' '
                    . $r->body =~ s/'\Q$value\E'/THING/gr;
                unlike($r->body =~ s/\Q$value\E//gr, qr/zz-bob/,
                    "M05 $route->{name} $name: nothing of others");
            }
        }

        for my $by (qw(name id)) {
            is($seen{"other $by"}, $seen{"missing $by"},
                "M05 $route->{name} $name by $by: as if it were not there");
            like($status{"other $by"}, qr/\A4\d\d\z/,
                "M05 $route->{name} $name by $by: refused");
        }
    }
}

cmp_ok($looked, '>', 5, "M05 $looked parameters name a thing");

# by their own number, too
{
    my $id = $t->json('user', 'show', 'zz-bob')->{id};
    my $project = $t->json('project', 'show', 'zz-bob-p')->{id};

    is($s->call('GET', "/admin/api/users/$id", token => $token{member})
        ->status, 404, 'M05 a user by id');
    is($s->call('GET', "/admin/api/projects/$project", token => $token{member})
        ->status, 404, 'M05 a project by id');
}

# the origin's number of a project
{
    my $id = $t->json('project', 'show', 'zz-bob-p')->{id};
    my ($other, $missing) = map {
        my $r = $s->call('GET', "/stats/usage?project_id=$_",
            token => $token{member});

        $r->status . ' ' . $r->body;
    } $id, 99999999;

    like($other, qr/\A404 /, 'M05 GET /stats/usage of another\'s project');
    is($other, $missing, 'M05 as if it were not there');
    is(scalar(grep { $_->{project_name} =~ /zz-bob/ } @{ $s->call('GET',
        '/project/list', token => $token{member})->json }), 0,
        'M05 GET /project/list has none of others');
}

# lists: what is one's own, all of it and nothing else
{
    my %mine = (
        projects => sub ($item) { $item->{user} eq 'zz-ana' },
        logs => sub ($item) { $item->{user} eq 'zz-ana' },
        keys => sub ($item) {
            $t->json('project', 'show', $item->{project})->{user} eq 'zz-ana';
        },
    );

    for my $list (sort keys %mine) {
        my $items = $s->call('GET', "/admin/api/$list?limit=1000",
            token => $token{member})->json->{items};

        cmp_ok(scalar @$items, '>', 0, "M05 $list: there are some");
        is(scalar(grep { !$mine{$list}->($_) } @$items), 0,
            "M05 $list: all of them one's own");
    }

    my $mine = $s->call('GET', '/admin/api/usage', token => $token{member})
        ->json;
    my @all = grep { $_->{attempts} } $t->rows;
    my @rows = grep { $_->{user} eq 'zz-ana' } @all;

    is($mine->{calls}, scalar @rows, 'M05 usage counts one\'s own calls');
    cmp_ok($mine->{calls}, '<', scalar @all, 'M05 and no others');

    for my $by (qw(user project key tag model day)) {
        my $r = $s->call('GET', "/admin/api/usage?by=$by",
            token => $token{member});
        my $calls = 0;

        $calls += $_->{calls} for @{ $r->json->{items} };
        is($calls, scalar @rows, "M05 usage by $by: the same");
        unlike($r->body, qr/zz-bob/, 'M05 and of nobody else');
    }
}

# the one thing that is told, as docs/ROLES.md says: a name is taken
{
    my $r = $s->call('POST', '/admin/api/projects', token => $token{member},
        json => { name => 'zz-bob-p' });

    is($r->status, 409, 'M05 a name that another user\'s project has');
    unlike($r->body =~ s/zz-bob-p//gr, qr/zz-bob/, 'M05 not whose it is');
}

# a page that begins at a thing of another's
for my $list (qw(projects keys logs)) {
    my $all = $s->call('GET', "/admin/api/$list?limit=1",
        token => $token{admin})->json;
    my $next = $all->{next} // next;

    unlike($s->call('GET', "/admin/api/$list?cursor=$next",
        token => $token{member})->body, qr/zz-bob/,
        "M05 $list from a cursor of others");
}


# --- M09: nobody gives themselves more ---

sub me_does ($method, $path, $json) {
    return $s->call($method, "/admin/api$path", token => $token{member},
        json => $json);
}

{
    $t->run('user', 'set', 'zz-ana', '--quota', '10');

    my $before = $t->json('user', 'show', 'zz-ana');
    my $project = $t->json('project', 'show', 'zz-ana-p');

    for my $path ('/users/zz-ana', '/projects/zz-ana-p') {
        for my $json ({ quota => '1000' }, { quota => undef },
            { models => ['*'] }, { expires => undef }, { role => 'admin' },
            { admin => JSON::PP::true }, { enabled => JSON::PP::true }, {})
        {
            is(me_does('PATCH', $path, $json)->status, 403, 'M09 PATCH '
                . "$path " . JSON::PP->new->canonical->encode($json));
        }
    }

    for my $path (qw(/users/zz-ana/enable /projects/zz-ana-p/enable
        /projects/zz-ana-p/credit))
    {
        is(me_does('POST', $path, {})->status, 403, "M09 POST $path");
    }

    is(me_does('PUT', '/settings/signup_quota', { value => '1000' })->status,
        403, 'M09 nor by a setting');
    is(me_does('POST', '/users', { name => 'zz-second' })->status, 403,
        'M09 nor by another account');
    like(me_does('POST', '/projects', { name => 'zz-ana-more',
        quota => '10.000000001' })->status, qr/\A40[03]\z/,
        'M09 a project beyond one\'s own quota');
    like(me_does('POST', '/projects', { name => 'zz-ana-all',
        quota => undef })->status, qr/\A(?:201|40[03])\z/,
        'M09 one without a limit has one\'s own');
    like(me_does('POST', '/projects', { name => 'zz-ana-his',
        user => 'zz-bob' })->status, qr/\A4\d\d\z/,
        'M09 nor one of another\'s');
    is_deeply($t->json('user', 'show', 'zz-ana'), $before,
        'M09 all is as it was');
    is_deeply($t->json('project', 'show', 'zz-ana-p'), $project,
        'M09 the project too');
}


# --- M04: other ways to write a path ---

sub variants ($path) {
    my $last = $path =~ s{.*/}{}r;

    return ("$path/", "/$path", $path =~ s{/admin}{/admin/}r,
        $path =~ s{/api}{//api}r, $path =~ s{/api}{/./api}r,
        $path =~ s{/api}{/x/../api}r, "$path/.", "$path/../$last", "$path;x",
        "$path%2f", "$path%00", "$path%20", "$path%0a", "$path.json",
        uc $path, $path =~ s{/api}{/API}r, $path =~ s{/admin}{/Admin}r,
        $path =~ s{/admin}{/%61dmin}r, $path =~ s{/api}{/%61pi}r,
        $path =~ s{/api/}{/api%2f}r, $path =~ s{/(\w)(\w*)$}{
            sprintf '/%%%02x%s', ord $1, $2 }er,
        $path =~ s{/admin}{/v1/../admin}r, $path =~ s{/}{\\}gr,
        $path =~ s{/api}{/api/v1/..}r);
}

for my $role (qw(nobody member)) {
    my @let;

    for my $route (@routes) {
        my $cell = ($documented{ $route->{name} } // next)->[$role eq 'nobody'
            ? 0 : 1];

        next if $cell ne '-';

        my ($path, %request) = request($route, 'other', 0);

        for my $variant (variants($path)) {
            my $r = $s->call($route->{method}, $variant, %request,
                token => $token{$role});

            push @let, "$route->{method} $variant: " . $r->status
                if $r->status !~ /\A40[01345]\z/;
        }
    }

    is_deeply(\@let, [], "M04 $role gets nothing by another way to write it");
}

# for who may, another way to write a path is another path
for my $variant (variants('/admin/api/users')) {
    like($s->call('GET', $variant, token => $token{admin})->status,
        qr/\A40[04]\z/, 'M04 ' . $variant =~ s/[^\x20-\x7e]/?/gr);
}

# headers by which others have been talked into it
for my $header (
    ['Host' => 'localhost:9999'], ['Host' => '127.0.0.1'],
    ['X-Original-URL' => '/admin/api/users'], ['Forwarded' => 'for=127.0.0.1'],
    ['X-Rewrite-URL' => '/admin/api/users'], ['X-Real-IP' => '127.0.0.1'],
    ['X-Forwarded-For' => '127.0.0.1'], ['X-Forwarded-Host' => 'localhost'],
    ['X-Forwarded-Proto' => 'https'], ['X-Forwarded-Prefix' => '/admin/api'],
    ['X-HTTP-Method-Override' => 'GET'], ['X-Method-Override' => 'DELETE'],
    ['X-Remote-User' => 'admin'], ['Remote-User' => 'admin'],
    ['X-User' => 'admin'], ['X-Role' => 'admin'], ['X-Forwarded-User', 'admin'],
    ['X-Accel-Redirect' => '/admin/api/users'])
{
    my ($name, $value) = @$header;

    for my $case (['nobody', 401], ['member', 403]) {
        my ($role, $status) = @$case;
        my $http = AIGW::HTTP->new($t->port);
        my $bearer = $token{$role} ? "Authorization: Bearer $token{$role}\r\n"
            : '';
        my $host = $name eq 'Host' ? '' : "Host: localhost\r\n";
        my $r = $http->ask(raw => "GET /admin/api/users HTTP/1.1\r\n$host"
            . "$bearer$name: $value\r\nConnection: close\r\n\r\n")->response;

        is($r->status, $status, "M04 $role with $name: $value");
    }
}

$t->finish(credits => 1);
