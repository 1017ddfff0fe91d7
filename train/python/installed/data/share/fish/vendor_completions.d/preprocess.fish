# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_preprocess_global_optspecs
    string join \n h/help V/version
end

function __fish_preprocess_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_preprocess_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_preprocess_using_subcommand
    set -l cmd (__fish_preprocess_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c preprocess -n "__fish_preprocess_needs_command" -s h -l help -d 'Print help'
complete -c preprocess -n "__fish_preprocess_needs_command" -s V -l version -d 'Print version'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "imagenet" -d 'Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org\'s batches'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "celeba-tfr" -d 'CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "celeba-5bit" -d 'CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "mnist" -d 'MNIST: the four idx files, gzipped or not'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "fashion-mnist" -d 'Fashion-MNIST: four idx files named as those of MNIST'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "kmnist" -d 'Kuzushiji-MNIST: four idx files named as those of MNIST'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "k49" -d 'Kuzushiji-49: four .npz files, such as k49-train-imgs.npz'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "emnist" -d 'EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "cifar10" -d 'CIFAR-10: the binary or the Python version, as published or extracted'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "cifar100" -d 'CIFAR-100: the binary or the Python version, as published or extracted'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "svhn" -d 'Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "images" -d 'Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "digits" -d 'The small digits that ship with this project: two .npy files'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "inspect" -d 'Say what a directory of shards holds, and draw a contact sheet'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "verify" -d 'Read everything in a directory of shards and compare it with its checksums'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "export" -d 'Write shards as .npy or PNG files'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "synth" -d 'Make up an input of a published layout, of any size, without downloading anything'
complete -c preprocess -n "__fish_preprocess_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l size -d 'Side of the images: 32 or 64 for the published sets' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l counts -d 'Numbers of training and test images, if not 1281149,49999 (1281167,50000 of image-net.org\'s batches)' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand imagenet" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l resolution -d 'Side of the images: a power of two from 2 to 1024 that the archive has' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l counts -d 'Numbers of training and test images, if not 27000,3000' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-tfr" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l test-images -d 'The first N images are for testing, all others for training' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand celeba-5bit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand mnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand fashion-mnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand kmnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l counts -d 'Numbers of training and test images, if not 232365,38547' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand k49" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l split -d 'Which of the selections to convert [default: the one that is there]' -r -f -a "balanced\t'47 classes, those of letters that look alike in both cases merged, as many images of each'
byclass\t'All images, 62 classes'
bymerge\t'All images, 47 classes'
letters\t'Letters, both cases in one of 26 classes'
digits\t'Digits, as many images of each'
mnist\t'Digits, as many as in MNIST'"
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand emnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l partial -d 'Take the batch files that are there, even if some are missing or incomplete'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar10" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l labels -d 'Which of the two labels of an image to keep' -r -f -a "fine\t'The 100 classes'
coarse\t'The 20 superclasses'"
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l partial -d 'Take incomplete files as they are'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand cifar100" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l counts -d 'Numbers of training and test images, if not 73257,26032 (604388,26032 with --extra)' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l extra -d 'Add the easier images of extra_32x32.mat to those for training'
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand svhn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l size -d 'Size of the images to make, in pixels: a number makes squares, two numbers are the width and the height' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l test-every -d 'Every N-th picture, in the order of their names, is for testing; with classes every N-th of each class' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l splits -d 'What tells the pictures for training from those for testing, instead of --test-every' -r -f -a "folders\t'The folders `train` and `test` (or else `val`) at the top'"
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l classes -d 'The source of the pictures\' classes, which become their labels' -r -f -a "folders\t'The folders at the top, or within those of the splits, in the order of their names'"
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l grey -d 'Make grey images of one channel'
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l skip-damaged -d 'Leave out pictures that are damaged, too large or transparent, instead of refusing all'
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand images" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l limit -d 'Take only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l force -d 'Replace a complete data set'
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c preprocess -n "__fish_preprocess_using_subcommand digits" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand inspect" -l sheet -d 'Draw a contact sheet of each split, `<split>.png`, in this directory, or in the data set\'s own' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand inspect" -l force -d 'Replace contact sheets that exist'
complete -c preprocess -n "__fish_preprocess_using_subcommand inspect" -s h -l help -d 'Print help'
complete -c preprocess -n "__fish_preprocess_using_subcommand verify" -s h -l help -d 'Print help'
complete -c preprocess -n "__fish_preprocess_using_subcommand export" -l format -d 'What to write' -r -f -a "npy\t'train.npy and test.npy (uint8, n x height x width x channels), with labels (int64) and attributes (int8) beside them'
png\t'A folder of PNGs for each split, with labels.csv; fewer than 256 levels are stretched to 0…255'"
complete -c preprocess -n "__fish_preprocess_using_subcommand export" -l out -d 'Directory to write to' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand export" -l limit -d 'Only the first N images of each split' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand export" -l force -d 'Write into a directory that is not empty, over files of the same names'
complete -c preprocess -n "__fish_preprocess_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand synth" -l out -d 'Directory to write to' -r -F
complete -c preprocess -n "__fish_preprocess_using_subcommand synth" -l counts -d 'Numbers of training and test images' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand synth" -l size -d 'Side of the images of ImageNet [default: 64] and celeba-tfr [default: 256]' -r
complete -c preprocess -n "__fish_preprocess_using_subcommand synth" -l force -d 'Write into a directory that is not empty, over files of the same names'
complete -c preprocess -n "__fish_preprocess_using_subcommand synth" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "imagenet" -d 'Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org\'s batches'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "celeba-tfr" -d 'CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "celeba-5bit" -d 'CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "mnist" -d 'MNIST: the four idx files, gzipped or not'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "fashion-mnist" -d 'Fashion-MNIST: four idx files named as those of MNIST'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "kmnist" -d 'Kuzushiji-MNIST: four idx files named as those of MNIST'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "k49" -d 'Kuzushiji-49: four .npz files, such as k49-train-imgs.npz'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "emnist" -d 'EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "cifar10" -d 'CIFAR-10: the binary or the Python version, as published or extracted'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "cifar100" -d 'CIFAR-100: the binary or the Python version, as published or extracted'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "svhn" -d 'Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "images" -d 'Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "digits" -d 'The small digits that ship with this project: two .npy files'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "inspect" -d 'Say what a directory of shards holds, and draw a contact sheet'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "verify" -d 'Read everything in a directory of shards and compare it with its checksums'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "export" -d 'Write shards as .npy or PNG files'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "synth" -d 'Make up an input of a published layout, of any size, without downloading anything'
complete -c preprocess -n "__fish_preprocess_using_subcommand help; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
