# The sanitized half of `make test` must be able to fail: a write one byte
# behind its memory and an integer overflow, planted in copies of two files,
# are reported by unit test, command line and module, and the harness sees it.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use AIGW;

chdir $AIGW::root or die;

my $asan = -d "$AIGW::build/asan" ? "$AIGW::build/asan" : $AIGW::build;
my $cc = 'cc -O1 -g -w -fPIC -fsanitize=address,undefined'
    . ' -fno-sanitize-recover=undefined -Ishared';
my $libs = '-llmdb -lcrypto -lpthread -lcjson -lcurl -lsmartcols'
    . ' -lmicrohttpd -lm';
my %plant = (
    'one byte too far' => [
        'volatile size_t n = 9; volatile char *p = malloc(n); p[n] = 0;',
        qr/ERROR: AddressSanitizer: heap-buffer-overflow/],
    'an overflow' => [
        'volatile int big = 0x7fffffff; big = big + 1;',
        qr/runtime error: signed integer overflow/],
);

ok(-x "$asan/sbin/nginx", "$asan is there") or BAIL_OUT('make sanitized');


sub shell ($command) {
    my $said = qx($command 2>&1);

    die "$command\n$said" if $?;
}


# The object of shared/NAME.c whose function has the fault as its first deed.
sub planted ($dir, $name, $function, $fault) {
    my $text = AIGW::slurp("shared/$name.c");

    $text =~ s/^(\Q$function\E\([^{]*\)\n)\{/$1\{ $fault/m
        or die "no $function in $name.c\n";

    open my $fh, '>', "$dir/$name.c" or die "$dir/$name.c: $!\n";
    print $fh "#include <stdlib.h>\n$text";
    close $fh;
    shell("$cc -c -o $dir/$name.o $dir/$name.c");

    return "$dir/$name.o";
}


sub says ($command) {
    my $said = qx($command 2>&1);

    return $? ? $said : 'no failure';
}


# A call through a module with the fault: what the harness finds in the logs.
sub call ($dir) {
    local $AIGW::build = $dir;
    local $AIGW::nginx = "$asan/sbin/nginx";

    symlink "$asan/$_", "$dir/$_" for qw(aigw aigw-sim);

    my $t = AIGW->new;
    my $key = $t->project('alice');

    eval { $t->chat($key) };

    my @faults = AIGW::Check::logs($t);

    $t->clean;

    return join "\n", @faults;
}


for my $name (sort keys %plant) {
    my ($fault, $re) = @{ $plant{$name} };
    my $dir = File::Temp::tempdir('aigw-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);

    chmod 0755, $dir;

    my $request = planted($dir, 'aigw_request', 'aigw_request_init', $fault);
    my $store = planted($dir, 'aigw_store', 'aigw_store_open', $fault);

    shell("$cc -o $dir/unit $asan/obj/t/unit/test_request.o $request"
        . " $asan/libaigw.a $libs");
    like(says("$dir/unit"), $re, "$name: a unit test ends with it");

    mkdir "$dir/cli";
    shell("$cc -o $dir/cli/aigw $asan/obj/admin_cli/*.o"
        . " $asan/obj/admin_cli/serve/*.o $store"
        . " $asan/libaigw.a $libs");
    shell("$asan/aigw store init $dir/store");
    like(says("$dir/cli/aigw --store $dir/store user list"), $re,
        "$name: the command line, too");

    my @objects = grep { !m{/aigw_request\.o$} }
        glob("$asan/nginx/objs/addon/*/*.o $asan/nginx/objs/*_modules.o");

    shell("$cc -shared -o $dir/ngx_ai_gateway_module.so @objects $request"
        . " $libs");
    like(call($dir), $re, "$name: the harness finds it in nginx's logs");
}

done_testing();
