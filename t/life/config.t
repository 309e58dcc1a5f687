# L01 `nginx -t` with each directive wrong, the store or its key missing or
# bad: exit 1, one line that names the directive, and the store untouched.

use v5.36;

use Digest::MD5 qw(md5_hex);
use File::Copy qw(copy);
use FindBin;
use Test::More;

use lib "$FindBin::Bin/../lib";
use AIGW;

my $t = AIGW->new(start => 0);
my $d = $t->dir;
my $key = AIGW::slurp("$d/store/key");


# (exit status, lines that it said) of nginx -t.
sub check () {
    my $p = AIGW::Process->start([$AIGW::nginx, '-t', '-p', $d, '-e',
        "$d/check.log", '-c', "$d/nginx.conf"], stderr => "$d/said");
    my $status = $p->wait;

    return ($status >> 8, grep { !/nginx: configuration file .* test/ }
        split /\n/, AIGW::slurp("$d/said"));
}


# Names, bytes, modes and times of all in the store, less the locks.
sub store_state () {
    return join '', map {
        my @s = stat;

        "$_ @s[2, 4, 5, 7, 9] " . md5_hex(AIGW::slurp($_)) . "\n"
    } grep { -f && !/lock/ } glob "$d/store/* $d/store/*/*";
}


# Configures with lines for its blocks; 'store' in place of the right line.
sub configure (%lines) {
    my $store = delete $lines{store} // "ai_gateway_store $d/store;";

    @$t{qw(main http server location)} = @lines{qw(main http server location)};
    $t->configure;

    my $text = AIGW::slurp("$d/nginx.conf")
        =~ s/ai_gateway_store \S+;/$store/r
        =~ s/ai_gateway_flush_interval 100ms;//r;

    $text =~ s/ai_gateway on;// if delete $lines{off};
    $text =~ s/ai_gateway_upstream 4sapi;//;
    open my $fh, '>', "$d/nginx.conf" or die "nginx.conf: $!\n";
    print $fh $text;
    close $fh;
}


configure();

my $before = store_state();

$t->allow_alert(qr/\[emerg\]/);
is((check())[0], 0, 'the right configuration');


sub wrong ($name, $re, %lines) {
    configure(%lines);

    my ($exit, @said) = check();

    is($exit, 1, "L01 $name: exit 1");
    is(@said, 1, "L01 $name: one line") or diag("@said");
    like($said[0] // '', qr/\[emerg\].*$re/, "L01 $name: says what is wrong");
}


my $flush = 'ai_gateway_flush_interval';

wrong('a flag that is none', qr/it must be "on" or "off".*nginx.conf:\d/,
    location => 'ai_gateway_upstream 4sapi; ai_gateway maybe;', off => 1);
wrong('a flag twice', qr/"ai_gateway" directive is duplicate/,
    location => 'ai_gateway on;');
wrong('an upstream twice', qr/"ai_gateway_upstream" directive is duplicate/,
    location => 'ai_gateway_upstream a; ai_gateway_upstream b;');
wrong('no argument', qr/number of arguments in "ai_gateway_upstream"/,
    location => 'ai_gateway_upstream;');
wrong('an upstream with no name',
    qr/"ai_gateway_upstream" directive must not be empty/,
    location => 'ai_gateway_upstream "";');
wrong('two arguments', qr/number of arguments in "ai_gateway_store"/,
    store => "ai_gateway_store $d/store $d/store;");
wrong('a store twice', qr/"ai_gateway_store" directive is duplicate/,
    http => "ai_gateway_store $d/store;");
wrong('a store in a server', qr/"ai_gateway_store" directive is not allowed/,
    server => "ai_gateway_store $d/store;");
wrong('a store with no name',
    qr/"ai_gateway_store" directive must not be empty/,
    store => 'ai_gateway_store "";');
wrong('no store', qr/"ai_gateway on" needs "ai_gateway_store DIR"/,
    store => '');
wrong('a gateway outside http', qr/"ai_gateway" directive is not allowed/,
    main => 'ai_gateway on;');
wrong('an interval that is none', qr/"$flush" directive invalid value/,
    http => "$flush soon;");
wrong('an interval of 0', qr/"$flush" directive must be from 1ms to 5s/,
    http => "$flush 0;");
wrong('an interval of a minute', qr/"$flush" directive must be from 1ms to 5s/,
    http => "$flush 1m;");
wrong('an interval twice', qr/"$flush" directive is duplicate/,
    http => "$flush 1s; $flush 1s;");
wrong('an interval in a location', qr/"$flush" directive is not allowed/,
    location => "$flush 1s;");
wrong('a directive that is none', qr/unknown directive "ai_gateway_key"/,
    location => 'ai_gateway_key x;');


# --- the store and its key ---

wrong('a store that is not there', qr/ai_gateway_store: .*aigw store init/,
    store => "ai_gateway_store $d/nowhere;");
wrong('a store that is a file', qr/ai_gateway_store: .* not a directory/,
    store => "ai_gateway_store $d/nginx.conf;");


sub key_file ($name, $re, $mode, $bytes) {
    open my $fh, '>:raw', "$d/store/key" or die "key: $!\n";
    print $fh $bytes;
    close $fh;
    chmod $mode, "$d/store/key";
    wrong($name, qr/ai_gateway_store: .*master key "\Q$d\E\/store\/key": $re/);
}


key_file('a key that is too short', qr/./, 0600, substr $key, 0, 16);
key_file('a key that is too long', qr/./, 0600, "$key ");
key_file('a key that others may read', qr/./, 0644, $key);
unlink "$d/store/key";
wrong('a key that is gone', qr/master key.*aigw store init/);

open my $fh, '>:raw', "$d/store/key" or die "key: $!\n";
print $fh $key;
close $fh;
chmod 0600, "$d/store/key";
configure();
is((check())[0], 0, 'the right configuration again');


# --- files of the store ---

sub file ($name, $path, $re, $break, $mend) {
    $break->();
    wrong($name, qr/ai_gateway_store: .*$re/);
    $mend->();
}


for my $env (qw(control usage)) {
    my ($file) = grep { -f && !/lock/ } glob "$d/store/$env/* $d/store/$env*";

    $file // die "no file of $env\n";
    file("no $env", $file, qr/\Q$env\E/,
        sub { rename $file, "$d/aside" }, sub { rename "$d/aside", $file });
    file("$env of zero bytes", $file, qr/\Q$env\E/, sub {
        rename $file, "$d/aside";
        open my $new, '>', $file;
        chmod 0640, $file;
    }, sub { rename "$d/aside", $file });
}

is((check())[0], 0, 'and once more');

my %was = map { $_ => 1 } split /\n/, $before;

is_deeply([grep { !$was{$_} && !/\/key / } split /\n/, store_state()], [],
    'L01 the store was never written to');

# L03 a broken configuration at a reload: the old one serves on
@$t{qw(main http server location)} = ();
$t->configure;
$t->start;

my $client = $t->project('alice');

wrong('at a reload', qr/unknown directive/, location => 'ai_gateway_key x;');
$t->allow_alert(qr/\[emerg\].*unknown directive "ai_gateway_key"/);
$t->{nginx}->signal('HUP');
select undef, undef, undef, 0.3;
is($t->chat($client)->status, 200, 'L03 the old configuration serves on');

$t->finish;
