# `aigw serve` behind the nginx of a test, by the snippets of docs/ as users
# include them. One object beside an AIGW one.
#
#   my $t = AIGW->new(start => 0);
#   my $s = AIGW::Serve->new($t);
#   my $token = $s->admin;
#   my $r = $s->call('GET', '/admin/api/users', token => $token);

package AIGW::Serve;

use v5.36;

use IO::Socket::UNIX;
use Time::HiRes qw(time sleep);

use AIGW;


# Starts both; rate: what nginx lets an address ask, a second.
sub new ($class, $t, %opt) {
    my $self = bless { t => $t, socket => "$t->{dir}/admin.sock", %opt },
        $class;
    my $rate = $opt{rate} // 10000;
    my ($format, $zone) = AIGW::slurp("$AIGW::root/docs/aigw-http.conf")
        =~ /^(log_format.*?;\n).*^(limit_req_zone.*?;\n)/ms or die 'no format';

    $t->{http} .= $format . $zone =~ s/rate=\d+/rate=$rate/r;
    $t->{server} .= AIGW::slurp("$AIGW::root/docs/$_")
        =~ s{unix:/run/aigw\.sock}{unix:$self->{socket}}gr
        =~ s{/var/log/nginx/}{$t->{dir}/}gr
        for qw(aigw-admin.conf aigw-origin.conf);
    $self->start;
    $t->configure;
    $t->start;

    return $self;
}


sub start ($self) {
    my $t = $self->{t};
    my $log = "$t->{dir}/serve.log";
    my $deadline = time + 20;

    unlink $log;                    # of one that was there before
    $self->{process} = AIGW::Process->start(["$AIGW::build/aigw", '--store',
        "$t->{dir}/store", 'serve', '--socket', $self->{socket}],
        stderr => $log);

    until (AIGW::slurp($log) =~ /^aigw serve: ready/m) {
        die 'aigw serve does not start: ' . AIGW::slurp($log)
            if time > $deadline || !$self->{process}->alive;
        sleep 0.01;
    }
}


sub pid ($self) { return $self->{process}->pid }
sub stop ($self, $signal = 'TERM') { return $self->{process}->stop($signal) }


# An answer. More: token (Bearer), json, body, headers; from: an address.
sub call ($self, $method, $path, %more) {
    my $http = AIGW::HTTP->new($self->{t}->port, timeout => 30,
        from => delete $more{from});

    $more{key} = delete $more{token} if exists $more{token};
    $more{headers} = [@{ $more{headers} // [] }, Connection => 'close'];

    return $http->ask(method => $method, path => $path, %more)->response;
}


# The same from the sidecar's own socket, without nginx.
sub direct ($self, $method, $path, %more) {
    my $sock = IO::Socket::UNIX->new(Peer => $self->{socket})
        or die "connect to $self->{socket}: $!\n";

    $more{key} = delete $more{token} if exists $more{token};
    $more{headers} = [@{ $more{headers} // [] }, Connection => 'close'];

    return AIGW::HTTP->on($sock)->ask(method => $method, path => $path, %more)
        ->response(30);
}


# A token of the user, who gets a password here if new is given.
sub login ($self, $name, $password) {
    my $r = $self->call('POST', '/admin/api/login',
        json => { name => $name, password => $password });

    die 'login: ' . $r->status . ' ' . $r->body if $r->status != 200;

    my $token = $r->json->{token};

    $self->{t}->secret("token of $name", $token);

    return $token;
}


# Gives the user a password by the command line; returns it.
sub password ($self, $name) {
    my $password = 'pw ' . AIGW::random_text(20);

    $self->{passwords}{$name} = $password;
    $self->{t}->secret("password of $name", $password);
    $self->{t}->run({ stdin => "$password\n" }, 'user', 'password', $name);

    return $password;
}


# A token of admin, or of a new user with these options.
sub user ($self, $name, @options) {
    $self->{t}->run('user', 'create', $name, @options) if $name ne 'admin';

    return $self->login($name, $self->password($name));
}

sub admin ($self) { return $self->{admin} //= $self->user('admin') }

1;
