# A model that stands for another: row, price and what goes up are the
# target's. Threat A16, with the bodies of J08.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::SHA qw(sha256_hex);
use Test::More;

use AIGW;

my $t = AIGW->new;
my $key = $t->project('alice');
my $include = '"stream_options":{"include_usage":true},';

$t->json('model', 'set', 'gpt-4o');
$t->json('model', 'set', 'fast', '--alias-of', 'gpt-4o');
$t->json('price', 'set', 'gpt-4o', '--prompt', 1, '--completion', 2);


# Sends body: the upstream must see want, the row the target and its price.
sub sends ($name, $body, $want) {
    $t->sim->reset;
    $t->sim->script(body => '{"usage":{"prompt_tokens":24,'
        . '"completion_tokens":2,"total_tokens":26}}');

    my $r = $t->request(key => $key, body => $body);
    my ($seen) = $t->sim->seen;

    is($r->status, 200, "$name: 200") or diag $r->body;
    is(sha256_hex($seen->{body}), sha256_hex($want),
        "$name: what goes up") or diag substr $seen->{body}, 0, 300;
    is($seen->{headers}{'content-length'}, length $want, "$name: its length");
    is_deeply([@{ $t->row($r) }{qw(model cost settled)}],
        ['gpt-4o', '0.000028', 'exact'], "$name: the row");
}

# The name is overwritten by blanks, the target put before them.
my $as = '"gpt-4o"      ';
my $pad = '"messages":["' . 'x' x 200_000 . '"]';

for my $case (['in memory', '"messages":[]'], ['in a temp file', $pad]) {
    my ($where, $pad) = @$case;

    sends("$where, first", qq({"model":"fast",$pad}), qq({"model":$as,$pad}));
    sends("$where, last", qq({$pad,"model":"fast"}), qq({$pad,"model":$as}));
    sends("$where, escaped", qq({$pad,"mod\\u0065l":"f\\u0061st"}),
        qq({$pad,"mod\\u0065l":"gpt-4o") . ' ' x 11 . '}');
    sends("$where, a stream, first", qq({"model":"fast","stream":true,$pad}),
        qq({$include"model":$as,"stream":true,$pad}));
    sends("$where, a stream, last", qq({"stream":true,$pad,"model":"fast"}),
        qq({$include"stream":true,$pad,"model":$as}));
    sends("$where, before options",
        qq({"model":"fast",$pad,"stream":true,"stream_options":{"x":1}}),
        qq({"model":$as,$pad,"stream":true,"stream_options":)
        . '{"include_usage":true,"x":1}}');
    sends("$where, behind options that say no",
        qq({"stream_options":{"include_usage":false},"stream":true,$pad,)
        . '"model":"fast"}', qq({"stream_options":{"include_usage":true     },)
        . qq("stream":true,$pad,"model":$as}));
}

# A16: who may call it by that name.
my $n = 0;

for my $case (['fast', 200], ['gpt-4o', 403], ['*', 200], ['fast,gpt-4o', 200],
    ['other', 403], ['f*', 403], ['f*,gpt-4o', 200])
{
    my ($models, $status) = @$case;
    my $some = $t->project('p' . $n++, '--models', $models);
    my $r = $t->chat($some, model => 'fast');

    is($r->status, $status, "A16 a list of '$models': $status");
    is($r->code, 'model_not_allowed', 'A16 with its code') if $status == 403;
}

# A chain or a loop is refused where it is made.
for my $of ('fast', 'again') {
    my ($exit) = $t->cli('model', 'set', 'again', '--alias-of', $of);

    isnt($exit, 0, "A16 no alias of $of");
}

$t->finish;
