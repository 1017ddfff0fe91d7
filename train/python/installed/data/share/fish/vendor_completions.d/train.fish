# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_train_global_optspecs
    string join \n config= resume= set= device= out= test-every= force json h/help V/version
end

function __fish_train_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_train_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_train_using_subcommand
    set -l cmd (__fish_train_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c train -n "__fish_train_needs_command" -l config -d 'The experiment\'s settings: a TOML file, or the name of a shipped configuration, such as digits or toy/moons' -r -F
complete -c train -n "__fish_train_needs_command" -l resume -d 'Resume a run from its directory or a checkpoint, also the reference implementation\'s (.pth). Settings are the run\'s unless --config or --set say otherwise' -r -F
complete -c train -n "__fish_train_needs_command" -l set -d 'Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated' -r
complete -c train -n "__fish_train_needs_command" -l device -d 'Compute there, in place of the file\'s `device`: auto, cpu, cuda, cuda:N, wgpu or wgpu:N' -r
complete -c train -n "__fish_train_needs_command" -l out -d 'Write the run into this directory [default: experiments/runs/<name of the file>, or that of the resumed run]' -r -F
complete -c train -n "__fish_train_needs_command" -l test-every -d 'Also evaluate on the test samples after every N epochs, as run.test_every_epochs' -r
complete -c train -n "__fish_train_needs_command" -l force -d 'Replace the run that is in the directory'
complete -c train -n "__fish_train_needs_command" -l json -d 'Print the summary as one JSON object'
complete -c train -n "__fish_train_needs_command" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_needs_command" -s V -l version -d 'Print version'
complete -c train -n "__fish_train_needs_command" -f -a "animate" -d 'Make an animated GIF of the pictures that a run drew'
complete -c train -n "__fish_train_needs_command" -f -a "check" -d 'Certify the Lipschitz bounds of a checkpoint\'s weights, and measure how well samples are reconstructed'
complete -c train -n "__fish_train_needs_command" -f -a "config" -d 'Print what settings there are: all defaults, one key explained, or a schema for editors'
complete -c train -n "__fish_train_needs_command" -f -a "density" -d 'Write the log-density (nats, in the data\'s own units) of every point of a file'
complete -c train -n "__fish_train_needs_command" -f -a "devices" -d 'List the devices that `device` and --device can name, and what others would need'
complete -c train -n "__fish_train_needs_command" -f -a "estimator" -d 'Measure estimators of log-determinants against the exact value: bias, variance and cost'
complete -c train -n "__fish_train_needs_command" -f -a "evaluate" -d 'Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample'
complete -c train -n "__fish_train_needs_command" -f -a "report" -d 'Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on'
complete -c train -n "__fish_train_needs_command" -f -a "sample" -d 'Sample images (a picture) or points (a table) from a checkpoint\'s weights'
complete -c train -n "__fish_train_needs_command" -f -a "encode" -d 'Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]'
complete -c train -n "__fish_train_needs_command" -f -a "decode" -d 'Map latents [n, dimensions] to images, or to points in their own units'
complete -c train -n "__fish_train_needs_command" -f -a "log-prob" -d 'Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim'
complete -c train -n "__fish_train_needs_command" -f -a "import" -d 'Convert a checkpoint of the reference implementation, with both sets of weights'
complete -c train -n "__fish_train_needs_command" -f -a "export" -d 'Write both sets of weights into a safetensors file, by the reference implementation\'s names'
complete -c train -n "__fish_train_needs_command" -f -a "completions" -d 'Print a script with which a shell completes commands and options'
complete -c train -n "__fish_train_needs_command" -f -a "man" -d 'Write manual pages: one of the program, one of each command'
complete -c train -n "__fish_train_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c train -n "__fish_train_using_subcommand animate" -l out -d 'Write this file [default: training.gif in the directory of the run]' -r -F
complete -c train -n "__fish_train_using_subcommand animate" -l each -d 'Show each picture for this long' -r
complete -c train -n "__fish_train_using_subcommand animate" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand animate" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand animate" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand check" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand check" -l data -d 'The directory of the data set, if it has moved since training; or any file of points' -r -F
complete -c train -n "__fish_train_using_subcommand check" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand check" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand check" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand check" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand check" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand check" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand check" -l n -d 'Reconstruct this many test samples; 0: only the bounds' -r
complete -c train -n "__fish_train_using_subcommand check" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand check" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand config" -l set -d 'Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand config" -l explain -d 'Explain a key (`optim.ema_decay`, or `ema_decay` in any section), or list a section (`optim`)' -r
complete -c train -n "__fish_train_using_subcommand config" -l default -d 'Print a configuration with every default, in which comments say what each setting is'
complete -c train -n "__fish_train_using_subcommand config" -l schema -d 'Print the JSON schema, with which editors complete and check configurations'
complete -c train -n "__fish_train_using_subcommand config" -l markdown -d 'Print the reference of all settings as Markdown'
complete -c train -n "__fish_train_using_subcommand config" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand density" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand density" -l out -d 'Write the log-densities to a .csv or .npy file, in the order of the points [default: standard output]' -r -F
complete -c train -n "__fish_train_using_subcommand density" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand density" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand density" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand density" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand density" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand density" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand density" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand density" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand density" -l exact -d 'Compute exact log-determinants even if the training evaluated with an estimator'
complete -c train -n "__fish_train_using_subcommand density" -l integrate -d 'Integrate the density over the plane instead, which should give 1'
complete -c train -n "__fish_train_using_subcommand density" -l json -d 'Print a summary as one JSON object instead of the log-densities'
complete -c train -n "__fish_train_using_subcommand density" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand devices" -l json -d 'Print one JSON list'
complete -c train -n "__fish_train_using_subcommand devices" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand estimator" -l weights -d 'Use these of a checkpoint\'s weights [default: average]' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand estimator" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand estimator" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l set -d 'Change a setting of the configuration; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l data -d 'The directory of the data set, or the file of points, if it has moved since training' -r -F
complete -c train -n "__fish_train_using_subcommand estimator" -l n -d 'Measure on this many test samples, the first ones' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l draws -d 'Draw each estimator this many times' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l terms -d 'Expected numbers of terms, rising' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l seed -d 'Choose the draws' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l out -d 'Also write estimator.md (the table), estimator.json, bias.svg and deviation.svg to a directory; of rounding, rounding.md and rounding.json' -r -F
complete -c train -n "__fish_train_using_subcommand estimator" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand estimator" -l rounding -d 'Instead measure the estimator of [log_det.train] in every precision of its products that the device computes in'
complete -c train -n "__fish_train_using_subcommand estimator" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand estimator" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand estimator" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand evaluate" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand evaluate" -l data -d 'The directory of the data set, if it has moved since training; or any file of points, all of which are evaluated, with the model\'s own standardisation' -r -F
complete -c train -n "__fish_train_using_subcommand evaluate" -l split -d 'The part of the run\'s data that is evaluated: test, validation or train' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l batch -d 'Samples of a batch [default: run.eval_batch_size of the training]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l limit -d 'Evaluate only the first N samples' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l seed -d 'Seed of dequantisation and of estimator noise [default: that of the training]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l scores -d 'Write a .csv file with a line for each sample: index, row (of points in a file), log-density in nats, bits/dim (of images)' -r -F
complete -c train -n "__fish_train_using_subcommand evaluate" -l threshold-quantile -d 'Mark anomalies: samples less likely than this part of the validation samples, such as 0.01' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand evaluate" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand evaluate" -l out -d 'Also write the result to DIR/evaluation.json' -r -F
complete -c train -n "__fish_train_using_subcommand evaluate" -l exact -d 'Compute exact log-determinants, for few dimensions'
complete -c train -n "__fish_train_using_subcommand evaluate" -l overlapping-bins -d 'Dequantise images with overlapping bins, as the reference implementation does with 5 bits; underestimates bits/dim, only for comparison with published numbers'
complete -c train -n "__fish_train_using_subcommand evaluate" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand evaluate" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand evaluate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand report" -l out -d 'Write this file [default: report.html in the first directory]' -r -F
complete -c train -n "__fish_train_using_subcommand report" -l port -d 'Serve on this port [default: one that is free]' -r
complete -c train -n "__fish_train_using_subcommand report" -l host -d 'Serve at this address of the machine; others than the default can be reached from elsewhere' -r
complete -c train -n "__fish_train_using_subcommand report" -l serve -d 'Serve the report to a browser and follow the runs, until Ctrl-C; the address is printed'
complete -c train -n "__fish_train_using_subcommand report" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand report" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand sample" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand sample" -l n -d 'Draw this many samples' -r
complete -c train -n "__fish_train_using_subcommand sample" -l temperature -d 'Scale the latents: below 1, samples are more typical and less diverse' -r
complete -c train -n "__fish_train_using_subcommand sample" -l seed -d 'Choose the latents' -r
complete -c train -n "__fish_train_using_subcommand sample" -l out -d 'Write this picture (.png) or table (.csv, .npy), or a directory for it [default: the directory of the checkpoint]' -r -F
complete -c train -n "__fish_train_using_subcommand sample" -l format -d 'Write points in this format where --out is a directory' -r -f -a "csv\t''
npy\t''"
complete -c train -n "__fish_train_using_subcommand sample" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand sample" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand sample" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand sample" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand encode" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand encode" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c train -n "__fish_train_using_subcommand encode" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c train -n "__fish_train_using_subcommand encode" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand encode" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand encode" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand encode" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand encode" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand encode" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c train -n "__fish_train_using_subcommand encode" -l json -d 'Print the summary as one JSON object'
complete -c train -n "__fish_train_using_subcommand encode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand decode" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand decode" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c train -n "__fish_train_using_subcommand decode" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c train -n "__fish_train_using_subcommand decode" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand decode" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand decode" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand decode" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand decode" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand decode" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c train -n "__fish_train_using_subcommand decode" -l json -d 'Print the summary as one JSON object'
complete -c train -n "__fish_train_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand log-prob" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c train -n "__fish_train_using_subcommand log-prob" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c train -n "__fish_train_using_subcommand log-prob" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c train -n "__fish_train_using_subcommand log-prob" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c train -n "__fish_train_using_subcommand log-prob" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c train -n "__fish_train_using_subcommand log-prob" -l log-det -d 'Also write each one\'s ln|det dz/dx| in nats, [n]; of points in their own units' -r -F
complete -c train -n "__fish_train_using_subcommand log-prob" -l logits -d 'Also write the classifier\'s logits, [n, classes]' -r -F
complete -c train -n "__fish_train_using_subcommand log-prob" -l labels -d 'The images\' classes, a .npy file of whole numbers [n]; adds cross entropy (nats) and accuracy to the summary' -r -F
complete -c train -n "__fish_train_using_subcommand log-prob" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand log-prob" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c train -n "__fish_train_using_subcommand log-prob" -l json -d 'Print the summary as one JSON object'
complete -c train -n "__fish_train_using_subcommand log-prob" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c train -n "__fish_train_using_subcommand import" -l out -d 'Write this file [default: beside the file, with the extension .safetensors]' -r -F
complete -c train -n "__fish_train_using_subcommand import" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand import" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand import" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand export" -l out -d 'Write this file; averaged weights are called ema.shadow_params.<name>' -r -F
complete -c train -n "__fish_train_using_subcommand export" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand export" -l json -d 'Print the result as one JSON object'
complete -c train -n "__fish_train_using_subcommand export" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand completions" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand man" -l out -d 'The directory of the pages, which is made if it is not there' -r -F
complete -c train -n "__fish_train_using_subcommand man" -l force -d 'Replace the output if it exists'
complete -c train -n "__fish_train_using_subcommand man" -s h -l help -d 'Print help'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "animate" -d 'Make an animated GIF of the pictures that a run drew'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "check" -d 'Certify the Lipschitz bounds of a checkpoint\'s weights, and measure how well samples are reconstructed'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "config" -d 'Print what settings there are: all defaults, one key explained, or a schema for editors'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "density" -d 'Write the log-density (nats, in the data\'s own units) of every point of a file'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "devices" -d 'List the devices that `device` and --device can name, and what others would need'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "estimator" -d 'Measure estimators of log-determinants against the exact value: bias, variance and cost'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "evaluate" -d 'Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "report" -d 'Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "sample" -d 'Sample images (a picture) or points (a table) from a checkpoint\'s weights'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "encode" -d 'Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "decode" -d 'Map latents [n, dimensions] to images, or to points in their own units'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "log-prob" -d 'Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "import" -d 'Convert a checkpoint of the reference implementation, with both sets of weights'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "export" -d 'Write both sets of weights into a safetensors file, by the reference implementation\'s names'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "completions" -d 'Print a script with which a shell completes commands and options'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "man" -d 'Write manual pages: one of the program, one of each command'
complete -c train -n "__fish_train_using_subcommand help; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
