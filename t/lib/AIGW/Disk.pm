# An ext4 of its own below a store, which can be filled and frozen. A process
# that outlives the test thaws and unmounts it, however the test ends. Root, a
# loop device and util-linux are needed.
#
#   my $disk = AIGW::Disk->mount($t, 64) or plan skip_all => ...;  # MB
#   $disk->freeze; $disk->thaw; $disk->fill; $disk->empty; $disk->umount;

package AIGW::Disk;

use v5.36;

my %mounted;
my $owner = $$;


# The store moves there, before nginx starts. Undef where it cannot be done.
sub mount ($class, $t, $megabytes) {
    my $path = "$t->{dir}/store";

    return undef if $> != 0;

    open my $guard, '|-', 'setsid', 'sh', '-c', 'cat > /dev/null;'
        . ' fsfreeze -u "$1" 2> /dev/null; umount -l "$1" 2> /dev/null', 'sh',
        $path or die "sh: $!\n";

    my $self = bless { path => $path, guard => $guard, mb => $megabytes },
        $class;

    $mounted{$path} = $self;

    return $self if system('bash', '-c', 'set -e; exec 2> /dev/null; cd "$1";'
        . ' truncate -s "$2M" disk.img; mkfs.ext4 -q -m 0 disk.img;'
        . ' mv store was; mkdir store;'
        . ' mount -o loop disk.img store || { rmdir store; mv was store; rm'
        . ' disk.img; exit 1; }; rm disk.img; rmdir store/lost+found;'
        . ' cp -a was/. store; chown --reference=was store;'
        . ' chmod --reference=was store; rm -r was', 'mount', $t->{dir},
        $megabytes) == 0;

    $self->umount;

    return undef;
}


sub freeze ($self) { return $self->_freeze('-f') }
sub thaw ($self) { return $self->_freeze('-u') }


sub _freeze ($self, $how) {
    system('fsfreeze', $how, $self->{path}) == 0 or die "fsfreeze $how: $?\n";
}


# To the last block, without a byte being written.
sub fill ($self) {
    for (my $size = $self->{mb} << 20; $size >= 4096; $size /= 2) {
        system("fallocate -l $size $self->{path}/fill-$size 2> /dev/null");
    }
}


sub empty ($self) { unlink glob "$self->{path}/fill-*" }


# Waits for the guard. What still uses it goes on until it ends.
sub umount ($self) {
    my $guard = delete $self->{guard} or return;

    close $guard;
    delete $mounted{ $self->{path} };
}


END {
    if ($$ == $owner) {
        my $status = $?;

        $_->umount for values %mounted;
        $? = $status;
    }
}

1;
