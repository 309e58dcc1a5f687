# The origin's API, form for form: a script as it was written for that service
# runs through nginx, `aigw serve` and the simulator; then each error, and what
# its holes were. docs/ORIGIN.md says what differs.

use v5.36;
use utf8;

use Encode qw(encode_utf8);
use FindBin;
use JSON::PP ();
use POSIX qw(strftime);
use Test::More;
use Time::Local qw(timegm);

use lib "$FindBin::Bin/../lib";
use AIGW;
use AIGW::Serve;

use constant DAY => 86400;

binmode $_, ':encoding(UTF-8)' for map { Test::More->builder->$_ }
    qw(output failure_output todo_output);

my $t = AIGW->new(start => 0);
my $s = AIGW::Serve->new($t);
my $port = $t->port;

sub secret ($name) {
    my $text = 'pw ' . AIGW::random_text(20);

    $t->secret($name, $text);

    return $text;
}

# A request in the origin's words; json, form (a hash), or neither.
sub ask ($method, $path, %more) {
    if (my $form = delete $more{form}) {
        $more{body} = ref $form ? join '&', map {
            "$_=" . $form->{$_} =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger
        } sort keys %$form : $form;
        push @{ $more{headers} },
            'Content-Type', 'application/x-www-form-urlencoded';
    }

    return $s->call($method, $path, %more);
}

sub detail ($r) { return eval { $r->json->{detail} } // $r->body }

# One fault after the other as "where type".
sub faults ($r) {
    my $detail = detail($r);

    return $detail if !ref $detail;

    return join ', ', map { join('.', @{ $_->{loc} }) . " $_->{type}" }
        @$detail;
}

sub refused ($r, $status, $text, $name) {
    is($r->status, $status, "$name: $status");
    is(detail($r), $text, "$name: its text");
}

sub invalid ($r, $faults, $name) {
    is($r->status, 422, "$name: 422");
    is(faults($r), $faults, "$name: $faults");
}

sub days_ahead ($time) {
    my $now = strftime('%Y-%m-%d', gmtime);

    $time =~ /\A(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d\.\d{3}Z\z/ or return $time;

    return sprintf '%.0f', (days($1) - days($now));
}

# Days since 1970.
sub days ($date) {
    my ($y, $m, $d) = split /-/, $date;

    return timegm(0, 0, 0, $d, $m - 1, $y) / DAY;
}


# --- a script of the origin ---

$t->run('model', 'set', $_) for 'gpt-4o-mini', 'o3', 'gpt-4o';
$t->run('setting', 'set', 'signup', 'open');

my $today = strftime('%Y-%m-%d', gmtime);

{
    my $password = secret('password of the script');
    my $p = AIGW::Process->start(["$AIGW::build/sdk/python/bin/python",
        "$FindBin::Bin/origin.py"], env => {
            ORIGIN_URL => "http://127.0.0.1:$port", TZ => 'UTC',
            ORIGIN_PASSWORD => $password,
            map { $_ => '' } qw(http_proxy HTTP_PROXY all_proxy ALL_PROXY),
        });
    my $out = $p->output(60) // '';

    is($p->wait, 0, 'the script ends well') or diag($out);

    my $saw = eval { JSON::PP::decode_json($out) } // {};

    for my $name (qw(register login)) {
        my $json = $saw->{$name}{json};

        is($saw->{$name}{status}, 200, "$name: 200");
        is_deeply([sort keys %$json], ['access_token', 'token_type'],
            "$name: fields");
        is($json->{token_type}, 'bearer', "$name: token_type");
        $t->secret("token of $name", $json->{access_token});
    }

    my $create = $saw->{create}{json};
    my $data = $create->{data};

    $t->secret('key of the project', $data->{api_key});
    $t->secret('second key', $saw->{create_default}{json}{data}{api_key});
    is_deeply([@$create{qw(code msg)}], [200, "项目创建成功"],
        'create: code and msg');
    is_deeply([sort keys %$data], [qw(api_key base_url expired_at project_id
        project_name total_quota)], 'create: fields of data');
    is($data->{project_name}, "客服机器人", 'create: project_name');
    like($data->{project_id}, qr/\A[1-9]\d*\z/, 'create: project_id');
    is($data->{base_url}, "http://127.0.0.1:$port/v1", 'create: base_url');
    is(days_ahead($data->{expired_at}), 7, 'create: expired_at');
    is(days_ahead($saw->{create_default}{json}{data}{expired_at}), 30,
        'create: 30 days by default');

    my ($first, $second) = @{ $saw->{list}{json} };
    my ($tokens, $used) = (0, 0);

    is(scalar(@{ $saw->{tokens} }), 2, 'two calls by the openai package');
    $tokens += $_ for @{ $saw->{tokens} };
    $used = $tokens / 100_000;
    is($saw->{not_allowed}, 'model_not_allowed', 'and one refused');

    is_deeply($first, {
        project_id => $data->{project_id}, project_name => "客服机器人",
        total_quota => 12.5, used_quota => $used,
        remaining_quota => 12.5 - $used, is_active => JSON::PP::true,
        expired_at => $data->{expired_at},
    }, 'list: the project, with what it used') or diag(explain($first));
    is($second->{project_name}, 'second', 'list: oldest first');

    my %sums = (total_calls => 2, total_tokens => $tokens,
        success_rate => 100);

    is_deeply($saw->{stats}{json},
        { %sums, start_date => $today, end_date => $today },
        'stats: of the project, today') or diag(explain($saw->{stats}));
    is_deeply($saw->{stats_default}{json}, { %sums, end_date => $today,
        start_date => strftime('%Y-%m-%d', gmtime(time - 29 * DAY)) },
        'stats: of all, the last 30 days');
    $t->expect_rows(3);

    my $user = $t->json('user', 'show', encode_utf8("小明"));

    is("$user->{role} $user->{quota}", 'member 100',
        'who signs up is a member and may give out 100');
}


# --- numbers are numbers, and their own ---

my $password = secret('password of ana');
my $token = $s->user('ana', '--quota', 100);
my $admin = $s->admin;

sub create (%body) {
    return ask('POST', '/project/create', token => delete $body{token}
        // $token, json => { project_name => 'p', total_quota => 1, %body });
}

# The same with total_quota as these bytes.
sub create_raw ($quota, $name = 'p') {
    return ask('POST', '/project/create', token => $token, body =>
        qq({"project_name":"$name","total_quota":$quota}));
}

{
    my @good = (['0.1', '0.1'], ['1e-05', '0.00001'], ['25', '25'],
        ['1.5E+1', '15'], ['0.30000000000000004', '0.3'], ['0', '0'],
        ['0.000000001', '0.000000001'], ['1e-999', '0'], ['2.50', '2.5'],
        ['0e999999999999', '0']);

    for my $i (0 .. $#good) {
        my ($sent, $shown) = @{ $good[$i] };
        my $r = create_raw($sent, "n$i");

        is($r->status, 200, "M08 total_quota $sent is taken") or diag($r->body);
        like($r->body, qr/"total_quota":\Q$shown\E[,}]/, "as $shown, exactly");
        is($t->json('project', 'show', "n$i")->{quota}, $shown,
            'and so it is kept');
        $t->secret("key $i", $r->json->{data}{api_key});
        $t->run('project', 'delete', "n$i", '--yes');
    }

    my $q = 'body.total_quota';

    invalid(create_raw($_->[0]), $_->[1], "M08 total_quota $_->[0]") for
        ['-1', "$q greater_than_equal"], ['-0', "$q greater_than_equal"],
        ['-1e999', "$q greater_than_equal"], ['1e309', "$q less_than_equal"],
        ['9223372036854775808', "$q less_than_equal"],
        ['9223372036.854775808', "$q less_than_equal"],
        ['1' x 400, "$q float_type"], ['"10"', "$q float_type"],
        ['true', "$q float_type"], ['null', "$q float_type"],
        ['[1]', "$q float_type"], ['NaN', 'body json_invalid'],
        ['Infinity', 'body json_invalid'], ['0x10', 'body json_invalid'],
        ['+1', 'body json_invalid'], ['01', 'body json_invalid'],
        ['1,"total_quota":2', "$q value_error"];

    my $d = 'body.expired_days';

    invalid(create(expired_days => $_->[0]), "$d $_->[1]",
        "M08 expired_days $_->[0]") for
        [0, 'greater_than_equal'], [-1, 'greater_than_equal'],
        [36501, 'less_than_equal'], [9.3e18, 'less_than_equal'],
        [1.5, 'int_from_float'], ['30', 'int_type'];

    my $r = create(project_name => 'long', expired_days => 36500);

    is(days_ahead($r->json->{data}{expired_at}), 36500,
        'expired_days: 36,500 at most');
    $t->secret('key of long', $r->json->{data}{api_key});
}


# --- the other fields ---

{
    my $m = 'body.model_permission value_error';

    invalid(create(model_permission => $_->[0]), $m, $_->[1]) for
        [[], 'A18 an empty list of models'], ['', 'an empty text of them'],
        [[1], 'a model that is no text'], [['a,b'], 'one with a comma'],
        [{}, 'an object'], [['x' x 513], 'too many bytes'],
        [['a b'], 'one with a blank'];

    my @good = ([['gpt-4o*', 'o3'], ['gpt-4o*', 'o3']],
        ['gpt-4o*, o3', ['gpt-4o*', 'o3']], [undef, ['*']]);

    for my $i (0 .. $#good) {
        my ($sent, $kept) = @{ $good[$i] };
        my $r = create(project_name => "m$i",
            defined $sent ? (model_permission => $sent) : ());

        is_deeply($t->json('project', 'show', "m$i")->{models}, $kept,
            "models: @$kept");
        $t->secret("key m$i", $r->json->{data}{api_key});
    }

    my $n = 'body.project_name';

    invalid(create(project_name => $_->[0]), "$n $_->[1]", $_->[2]) for
        ['', 'string_too_short', 'no name'], [7, 'string_type', 'a number'],
        ['1234', 'value_error', 'digits alone'],
        ['a b', 'value_error', 'a blank'],
        ['x' x 65, 'value_error', '65 bytes'],
        ['<b>', 'value_error', 'markup'];
    invalid(ask('POST', '/project/create', token => $token, json => {
        expired_days => 0 }), "$n missing, body.total_quota missing,"
        . ' body.expired_days greater_than_equal', 'all faults are listed');

    invalid(ask('POST', '/project/create', token => $token, body => ''),
        'body missing', 'no body');
    invalid(ask('POST', '/project/create', token => $token, body => '[]'),
        'body model_attributes_type', 'an array');
    invalid(ask('POST', '/project/create', token => $token, body => '{'),
        'body json_invalid', 'half a body');
    invalid(ask('POST', '/project/create', token => $token, form => {
        project_name => 'p', total_quota => 1 }),
        'body model_attributes_type', 'a form');
    refused(create(project_name => 'm0'), 400, "项目名称已存在",
        'a name that is taken');
    is(create(project_name => 'm9', colour => 'red')->status, 200,
        'unknown fields are not looked at');
}


# --- who may do what ---

{
    my %call = (
        'POST /project/create' => [json => { project_name => 'p',
            total_quota => 1 }], 'GET /project/list' => [],
        'GET /stats/usage' => [],
    );

    for my $name (sort keys %call) {
        my ($method, $path) = split / /, $name;

        for my $bad (undef, 'x', "$token.x") {
            my $r = ask($method, $path, @{ $call{$name} }, token => $bad);

            refused($r, 401, "未登录或登录已过期", "M04 $name with "
                . (defined $bad ? 'a wrong token' : 'none'));
            is($r->header('WWW-Authenticate'), 'Bearer', 'and how to mend it');
        }
    }

    my $bea = $s->user('bea', '--quota', 5);
    my $id = $t->json('project', 'show', 'm0')->{id};

    is_deeply(ask('GET', '/project/list', token => $bea)->json, [],
        'M05 members see no project of others');
    refused(ask('GET', "/stats/usage?project_id=$id", token => $bea), 404,
        "项目不存在", 'M05 nor their statistics');
    refused(ask('GET', '/stats/usage?project_id=999999', token => $bea), 404,
        "项目不存在", 'as of a project that is not there');
    is(ask('GET', "/stats/usage?project_id=$id", token => $admin)->status, 200,
        'admins do');
    is(scalar(grep { $_->{project_id} == $id }
        @{ ask('GET', '/project/list', token => $admin)->json }), 1,
        'and see all projects');

    my $share = "额度不足：名下所有项目的额度之和"
        . "不能超过您的总额度";
    my $r = create(token => $bea, project_name => 'b1', total_quota => 3);

    $t->secret('key of b1', $r->json->{data}{api_key});
    refused(create(token => $bea, project_name => 'b2', total_quota => 2.01),
        403, $share, 'M09 more than the own quota in all');
    $r = create(token => $bea, project_name => 'b2', total_quota => 2);
    is($r->status, 200, 'M09 all of it');
    $t->secret('key of b2', $r->json->{data}{api_key});
    refused(create(token => $bea, project_name => 'b3', total_quota => 1e-9),
        403, $share, 'M09 and nothing beyond');
    $r = create(token => $admin, project_name => 'big', total_quota => 1e9);
    is($r->status, 200, 'admins are not bound');
    $t->secret('key of big', $r->json->{data}{api_key});

    my $row = (grep { $_->{project_name} eq 'u' } do {
        $t->project('u');
        @{ ask('GET', '/project/list', token => $admin)->json };
    })[0];

    is_deeply([@$row{qw(total_quota remaining_quota expired_at)}],
        [undef, undef, undef], 'without a limit or an end: null');
    is($row->{used_quota}, 0, 'nothing used: 0');
    $t->run('user', 'disable', 'bea');
    refused(ask('GET', '/project/list', token => $bea), 401,
        "未登录或登录已过期", 'M14 disabled: the token is no good');
    ok(!(grep { $_->{project_name} eq 'b1' && $_->{is_active} }
        @{ ask('GET', '/project/list', token => $admin)->json }),
        'and the projects are not active');
}


# --- statistics ---

{
    my $ask = sub ($query) {
        return ask('GET', "/stats/usage?$query", token => $token);
    };

    for my $bad (qw(1 2026-13-01 2026-02-30 yesterday 2026-12-01T00:00:00Z
        20261201 2026/12/01))
    {
        invalid($ask->("start_date=$bad"), 'query.start_date date_parsing',
            "start_date $bad");
    }

    invalid($ask->("project_id=$_"), 'query.project_id int_parsing',
        "M08 project_id $_") for 'x', '-1', '1.5', '1e3', '9' x 20, 'm0';
    invalid($ask->('project_id=x&end_date=y'), 'query.project_id int_parsing,'
        . ' query.end_date date_parsing', 'both at once');
    invalid($ask->('end_date=%zz'), 'query.end_date value_error',
        'a wrong escape');
    refused($ask->('start_date=2026-12-02&end_date=2026-12-01'), 400,
        "开始日期不能晚于结束日期", 'the wrong way round');
    is_deeply($ask->('start_date=0001-01-01&end_date=9999-12-31')->json, {
        total_calls => 0, total_tokens => 0, success_rate => 100,
        start_date => '0001-01-01', end_date => '9999-12-31',
    }, 'the longest range; nothing was called');
    is_deeply([@{ $ask->('end_date=2026%2D03%2D01')->json }{qw(start_date
        end_date)}], ['2026-01-31', '2026-03-01'], '30 days up to a day');
    is($ask->('project_id=&start_date=')->status, 200,
        'empty is as not there');
}


# --- logging in ---

{
    my $r = ask('POST', '/login', form => { username => 'ana',
        password => 'wrong password' });

    refused($r, 401, "用户名或密码错误", 'a wrong password');
    is($r->header('WWW-Authenticate'), 'Bearer', 'and the scheme');

    my $unknown = ask('POST', '/login', form => { username => 'nobody',
        password => 'wrong password' });

    is($unknown->status . $unknown->body, $r->status . $r->body,
        'M16 an unknown name: the same');
    invalid(ask('POST', '/login', form => { grant_type => 'refresh_token' }),
        'body.username missing, body.password missing, body.grant_type'
        . ' string_pattern_mismatch', 'faults of the form');
    invalid(ask('POST', '/login', json => { username => 'ana', password =>
        'x' }), 'body.username missing, body.password missing', 'JSON');
    invalid(ask('POST', '/login', form => 'username=a&username=b&password=c'),
        'body value_error', 'a field twice');
    invalid(ask('POST', '/login', form => 'username=%00&password=c'),
        'body value_error', 'a NUL');
    invalid(ask('POST', '/login', form => join '&', map { "f$_=" } 1 .. 5000),
        'body value_error', 'many fields');

    $password = $s->password('ana');

    $r = ask('POST', '/login', form => { username => 'ana', grant_type =>
        'password', scope => '', password => $password });
    is($r->status, 200, 'the right one') or diag($r->body);
    $t->secret('token by the form', $r->json->{access_token});
    is(ask('GET', '/project/list', token => $r->json->{access_token})->status,
        200, 'gives a token that counts');
    refused(ask('GET', '/project/list', token => $token), 401,
        "未登录或登录已过期", 'M14 that of the old password does not');

    my $last;

    for (1 .. 8) {
        $last = ask('POST', '/login', form => { username => 'eve',
            password => 'guess number ' . $_ });
        last if $last->status == 429;
    }

    refused($last, 429, "请求过于频繁，请稍后再试", 'M15 guessing');
    like($last->header('Retry-After'), qr/\A[1-9]\d*\z/, 'and when again');
}


# --- errors of the service itself ---

{
    my $r = ask('GET', '/login');

    refused($r, 405, 'Method Not Allowed', 'another method');
    is($r->header('Allow'), 'POST', 'and which one');
    is(ask('GET', '/project/create/')->status, 404, 'M04 a trailing slash');
    refused(ask('POST', '/login', form => 'x' x 66_000), 413, "请求体过大",
        'a large body');
    $t->allow_alert(qr/connect\(\) to unix:\S+ failed/);
    $s->stop;
    $r = ask('GET', '/project/list');
    refused($r, 503, "服务暂不可用，请稍后再试", 'no sidecar');
    is($r->header('Retry-After'), 5, 'and when again');
    $s->start;
    is(ask('GET', '/project/list')->status, 401, 'back again');
}

$t->finish;
