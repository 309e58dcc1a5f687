# A strict cap: what a call may cost is bounded before it goes up, or it does
# not go up. Never below zero, whatever an upstream takes of what it may.
# Threats Q01, Q09; and prompts of an array, which count one by one.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP ();
use Test::More;

use AIGW;

use constant { TOKEN => 10_000, MORE => 65_536, TOOLS => 1024 };

my $t = AIGW->new(location => 'ai_gateway_quota_wait 200ms;');
my $json = JSON::PP->new->canonical;
my $usage = '{"usage":{"prompt_tokens":1,"completion_tokens":1,'
    . '"total_tokens":2}}';


sub amount ($tokens) { return $tokens * TOKEN / 1e9 }
sub text ($hash) { return $json->encode($hash) }
sub sent () { return JSON::PP::decode_json(($t->sim->seen)[-1]{body}) }

sub call ($key, $text, $path = '/v1/chat/completions') {
    return $t->request(key => $key, path => $path, body => $text,
        headers => ['Content-Type', 'application/json']);
}

sub hold_of ($r) { return AIGW::Check::nano($t->row($r)->{hold}) / TOKEN }

sub parts (@parts) {
    return text(AIGW::chat_body(max_tokens => 5,
        messages => [{ role => 'user', content => \@parts }]));
}


my $strict = $t->project('strict', '--cap', 'strict');
my $clamp = $t->project('clamp');
my $body = text(AIGW::chat_body());


# --- an output limit, always ---

{
    my $r = call($strict, $body);

    is($r->header('x-aigw-clamped'), 4096, 'Q09: a limit is set, with plenty');
    is(sent()->{max_tokens}, 4096, 'in what goes up');
    is(hold_of($r), length($body) + 4096, 'and the input held by its bytes');
    is_deeply($t->row($r)->{flags}, ['clamped'], 'the row says so');

    $t->json('model', 'set', 'small', '--max-output', 700);
    $r = call($strict, text(AIGW::chat_body(model => 'small',
        stream => JSON::PP::true)));
    is($r->header('x-aigw-clamped'), 700, "the model's ceiling");
    is_deeply([@{ sent() }{qw(max_tokens stream_options)}],
        [700, { include_usage => JSON::PP::true }], 'in a stream, too');

    $r = call($strict, text(AIGW::chat_body(model => 'o3',
        n => 2)));
    is(sent()->{max_completion_tokens}, 4096, 'a model that thinks');

    $r = call($strict, text(AIGW::chat_body(max_tokens => 9)));
    is($r->header('x-aigw-clamped'), undef, 'its own limit will do');
    is(call($clamp, $body)->header('x-aigw-clamped'), undef,
        'and none is set where the cap is not strict');
}


# --- the estimate does not count ---

{
    my $long = text(AIGW::chat_body(max_tokens => 10,
        messages => [{ role => 'user', content => 'word ' x 400 }]));
    my $quota = amount(length($long) + 9);
    my $sent = $t->sim->count;

    is(call($t->project('bytes', '--cap', 'strict', '--quota', $quota),
        $long)->header('x-aigw-clamped'), 9, 'to the last token by its bytes');

    $quota = amount(length $long);

    my $r = call($t->project('short', '--cap', 'strict', '--quota', $quota),
        $long);

    is($r->code, 'insufficient_quota', 'not even one by its bytes: spent');
    is(call($t->project('guess', '--quota', $quota), $long)->status, 200,
        'which by an estimate it is not');
    is($t->sim->count, $sent + 2, 'and is not sent');
}


# --- an upstream that takes all that it may ---

# Nano-units that are left after calls with no limit of their own (below 0:
# overdrawn), and how many these were.
sub spend ($name, @cap) {
    my $prompt = length $body;
    my $key = $t->project($name, '--quota', amount(4 * $prompt + 10_007),
        @cap);
    my ($r, $n) = (undef, -1);

    $t->sim->set(tokens => 1_000_000, prompt => $prompt);

    do {
        $r = call($key, $body);
        $n++;
    } while ($r->status == 200 && $n < 9);

    is($r->code, 'insufficient_quota', "$name: until it is spent");
    $t->sim->set(tokens => 16, prompt => 0);


    my $shown = $t->json('project', 'show', $name);

    return (AIGW::Check::nano($shown->{quota})
        - AIGW::Check::nano($shown->{spent}), $n);
}

{
    my ($left, $n) = spend('all', '--cap', 'strict');

    is($left, 0, 'Q01: the last call gets what is left, to the token');
    cmp_ok($n, '>=', 3, 'after some calls');

    ($left) = spend('clamped');
    cmp_ok($left, '<', 0, 'where the cap is not strict it is overdrawn');
}


# --- what nothing bounds ---

sub refused ($name, $param, $text, @path) {
    my $sent = $t->sim->count;
    my $r = call($strict, $text, @path);

    is_deeply([$r->status, $r->code, $r->json->{error}{type},
        $r->json->{error}{param}], [400, 'unbounded_request',
        'invalid_request_error', $param], "$name");
    is($t->sim->count, $sent, '... and not sent');
    is($t->row($r)->{verdict}, 'unbounded_request', '... with a row');
}

my $address = parts({ type => 'image_url',
    image_url => { url => 'https://example.com/a.png' } });

refused('an image by its address', 'url', $address);
refused('a file by its id', 'file_id',
    parts({ type => 'file', file => { file_id => 'file-1' } }));
refused('a hosted tool', 'tools', text(AIGW::chat_body(
    tools => [{ type => 'web_search' }])));
refused('a conversation', 'previous_response_id', text(AIGW::chat_body(
    previous_response_id => 'resp_1')));
refused('a conversation', 'conversation', text(AIGW::chat_body(
    conversation => { id => 'c' })));
refused('a stored prompt', 'prompt', text({ model => 'm',
    prompt => { id => 'p' } }), '/v1/completions');
refused('media to embed', 'input', text({ model => 'm',
    input => [{ image => 'https://example.com/a.png' }] }), '/v1/embeddings');
is(call($clamp, $address)->status, 200, 'all of which a clamped project may');


# --- media in the body ---

{
    my $image = parts({ type => 'image_url',
        image_url => { url => 'data:image/png;base64,AAAA' } });
    my $file = parts({ type => 'file', file => { filename => 'a.pdf',
        file_data => 'data:application/pdf;base64,AAAA' } });

    is(hold_of(call($strict, $image)), length($image) + MORE + 5,
        'an image in the body is held for');
    refused('of a file only the context bounds the tokens', 'messages', $file);
    $t->json('model', 'set', 'gpt-4o-mini', '--context', 10_000);
    is(hold_of(call($strict, $file)), 10_005, 'if it is known');
    is(hold_of(call($strict, $image)), 10_005, 'nor has an image more');

    my $tools = text(AIGW::chat_body(max_tokens => 5, tools => [{
        type => 'function', function => { name => 'f' } }]));

    is(hold_of(call($strict, $tools)), length($tools) + TOOLS + 5,
        'what an upstream says of tools is held for');
}


# --- prompts of an array ---

for my $key ($strict, $clamp) {
    for my $case (['one', 1], [['a', 'b', 'c'], 3], [[1, 2, 3], 1],
        [[[1, 2], [3]], 2])
    {
        my ($prompt, $n) = @$case;
        my $text = text({ model => 'many', prompt => $prompt, n => 2,
            max_tokens => 7 });

        $t->sim->script(body => $usage);
        is(hold_of(call($key, $text, '/v1/completions')),
            length($text) + 2 * $n * 7, "$n prompts have 2 outputs each");
    }

    my $text = text({ model => 'many', input => ['a', 'b'] });

    $t->sim->script(body => $usage);
    is(hold_of(call($key, $text, '/v1/embeddings')), length $text,
        'inputs have none');
}

# Each may fill the context.
{
    my $text = text({ model => 'fewer', n => 128, max_tokens => 900_000_000,
        prompt => ['x' x 500, 'y' x 500] });

    $t->json('model', 'set', 'fewer', '--context', 100);
    $t->sim->script(body => $usage);
    is(hold_of(call($clamp, $text, '/v1/completions')),
        200 + 256 * 900_000_000, 'no prompt has more than the context');
}

$t->finish;
