# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_residual_flows_global_optspecs
    string join \n h/help V/version
end

function __fish_residual_flows_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_residual_flows_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_residual_flows_using_subcommand
    set -l cmd (__fish_residual_flows_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c residual-flows -n "__fish_residual_flows_needs_command" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_needs_command" -s V -l version -d 'Print version'
complete -c residual-flows -n "__fish_residual_flows_needs_command" -f -a "train" -d 'Train, evaluate and sample Residual Flows'
complete -c residual-flows -n "__fish_residual_flows_needs_command" -f -a "preprocess" -d 'Turn published image data sets into tensor shards, look at them, check them'
complete -c residual-flows -n "__fish_residual_flows_needs_command" -f -a "pages" -d 'Write shell completions and manual pages of all programs, for a directory such as /usr/share'
complete -c residual-flows -n "__fish_residual_flows_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l config -d 'The experiment\'s settings: a TOML file, or the name of a shipped configuration, such as digits or toy/moons' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l resume -d 'Resume a run from its directory or a checkpoint, also the reference implementation\'s (.pth). Settings are the run\'s unless --config or --set say otherwise' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l set -d 'Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l device -d 'Compute there, in place of the file\'s `device`: auto, cpu, cuda, cuda:N, wgpu or wgpu:N' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l out -d 'Write the run into this directory [default: experiments/runs/<name of the file>, or that of the resumed run]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l test-every -d 'Also evaluate on the test samples after every N epochs, as run.test_every_epochs' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l force -d 'Replace the run that is in the directory'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -l json -d 'Print the summary as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -s V -l version -d 'Print version'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "animate" -d 'Make an animated GIF of the pictures that a run drew'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "check" -d 'Certify the Lipschitz bounds of a checkpoint\'s weights, and measure how well samples are reconstructed'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "config" -d 'Print what settings there are: all defaults, one key explained, or a schema for editors'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "density" -d 'Write the log-density (nats, in the data\'s own units) of every point of a file'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "devices" -d 'List the devices that `device` and --device can name, and what others would need'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "estimator" -d 'Measure estimators of log-determinants against the exact value: bias, variance and cost'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "evaluate" -d 'Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "report" -d 'Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "sample" -d 'Sample images (a picture) or points (a table) from a checkpoint\'s weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "encode" -d 'Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "decode" -d 'Map latents [n, dimensions] to images, or to points in their own units'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "log-prob" -d 'Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "import" -d 'Convert a checkpoint of the reference implementation, with both sets of weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "export" -d 'Write both sets of weights into a safetensors file, by the reference implementation\'s names'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "completions" -d 'Print a script with which a shell completes commands and options'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "man" -d 'Write manual pages: one of the program, one of each command'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and not __fish_seen_subcommand_from animate check config density devices estimator evaluate report sample encode decode log-prob import export completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from animate" -l out -d 'Write this file [default: training.gif in the directory of the run]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from animate" -l each -d 'Show each picture for this long' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from animate" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from animate" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from animate" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l data -d 'The directory of the data set, if it has moved since training; or any file of points' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l n -d 'Reconstruct this many test samples; 0: only the bounds' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -l set -d 'Change a setting of the file, such as optim.learning_rate=2e-3; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -l explain -d 'Explain a key (`optim.ema_decay`, or `ema_decay` in any section), or list a section (`optim`)' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -l default -d 'Print a configuration with every default, in which comments say what each setting is'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -l schema -d 'Print the JSON schema, with which editors complete and check configurations'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -l markdown -d 'Print the reference of all settings as Markdown'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from config" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l out -d 'Write the log-densities to a .csv or .npy file, in the order of the points [default: standard output]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l exact -d 'Compute exact log-determinants even if the training evaluated with an estimator'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l integrate -d 'Integrate the density over the plane instead, which should give 1'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -l json -d 'Print a summary as one JSON object instead of the log-densities'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from density" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from devices" -l json -d 'Print one JSON list'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from devices" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l weights -d 'Use these of a checkpoint\'s weights [default: average]' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l set -d 'Change a setting of the configuration; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l data -d 'The directory of the data set, or the file of points, if it has moved since training' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l n -d 'Measure on this many test samples, the first ones' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l draws -d 'Draw each estimator this many times' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l terms -d 'Expected numbers of terms, rising' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l seed -d 'Choose the draws' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l out -d 'Also write estimator.md (the table), estimator.json, bias.svg and deviation.svg to a directory; of rounding, rounding.md and rounding.json' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l rounding -d 'Instead measure the estimator of [log_det.train] in every precision of its products that the device computes in'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from estimator" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l data -d 'The directory of the data set, if it has moved since training; or any file of points, all of which are evaluated, with the model\'s own standardisation' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l split -d 'The part of the run\'s data that is evaluated: test, validation or train' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l batch -d 'Samples of a batch [default: run.eval_batch_size of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l limit -d 'Evaluate only the first N samples' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l seed -d 'Seed of dequantisation and of estimator noise [default: that of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l scores -d 'Write a .csv file with a line for each sample: index, row (of points in a file), log-density in nats, bits/dim (of images)' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l threshold-quantile -d 'Mark anomalies: samples less likely than this part of the validation samples, such as 0.01' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l out -d 'Also write the result to DIR/evaluation.json' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l exact -d 'Compute exact log-determinants, for few dimensions'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l overlapping-bins -d 'Dequantise images with overlapping bins, as the reference implementation does with 5 bits; underestimates bits/dim, only for comparison with published numbers'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from evaluate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -l out -d 'Write this file [default: report.html in the first directory]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -l port -d 'Serve on this port [default: one that is free]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -l host -d 'Serve at this address of the machine; others than the default can be reached from elsewhere' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -l serve -d 'Serve the report to a browser and follow the runs, until Ctrl-C; the address is printed'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l n -d 'Draw this many samples' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l temperature -d 'Scale the latents: below 1, samples are more typical and less diverse' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l seed -d 'Choose the latents' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l out -d 'Write this picture (.png) or table (.csv, .npy), or a directory for it [default: the directory of the checkpoint]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l format -d 'Write points in this format where --out is a directory' -r -f -a "csv\t''
npy\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from sample" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -l json -d 'Print the summary as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from encode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -l json -d 'Print the summary as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l weights -d 'Which of the checkpoint\'s weights' -r -f -a "average\t'The averaged weights, with power iterations until their Lipschitz constraint has converged'
raw\t'The weights of the last step, with the vectors of power iteration as they were stored'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l input -d 'Read a .npy file, float32 or float64; points may be in a table too, .csv or .parquet' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l output -d 'Write a .npy file, float32, points and their log-densities float64; of points .csv too' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l batch -d 'Images of a batch [default: run.eval_batch_size of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l seed -d 'Choose the estimator\'s noise [default: that of the training]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l missing -d 'What becomes of a table\'s rows with missing values: error or drop [default: error]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l delimiter -d 'Between the columns of a table: "," ";" tab or blanks [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l decimal -d 'The decimal mark of a table, "." or "," [default: found]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l comment -d 'The character that comment lines of a table begin with [default: there are none]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l header -d 'Whether the first line of a table has the names of its columns [default: found]' -r -f -a "true\t''
false\t''"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l exclude -d 'A column of a table to leave out, by its name; may be repeated' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l device -d 'Compute on auto, cpu, cuda, cuda:N, wgpu or wgpu:N; `train devices` lists what there is' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l log-det -d 'Also write each one\'s ln|det dz/dx| in nats, [n]; of points in their own units' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l logits -d 'Also write the classifier\'s logits, [n, classes]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l labels -d 'The images\' classes, a .npy file of whole numbers [n]; adds cross entropy (nats) and accuracy to the summary' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l exact -d 'Compute exact log-determinants, for few dimensions; adds log-densities to the summary'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -l json -d 'Print the summary as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from log-prob" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from import" -l out -d 'Write this file [default: beside the file, with the extension .safetensors]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from import" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from import" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from export" -l out -d 'Write this file; averaged weights are called ema.shadow_params.<name>' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from export" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from export" -l json -d 'Print the result as one JSON object'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from completions" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from man" -l out -d 'The directory of the pages, which is made if it is not there' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from man" -l force -d 'Replace the output if it exists'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from man" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "animate" -d 'Make an animated GIF of the pictures that a run drew'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "check" -d 'Certify the Lipschitz bounds of a checkpoint\'s weights, and measure how well samples are reconstructed'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "config" -d 'Print what settings there are: all defaults, one key explained, or a schema for editors'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "density" -d 'Write the log-density (nats, in the data\'s own units) of every point of a file'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "devices" -d 'List the devices that `device` and --device can name, and what others would need'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "estimator" -d 'Measure estimators of log-determinants against the exact value: bias, variance and cost'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "evaluate" -d 'Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "report" -d 'Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "sample" -d 'Sample images (a picture) or points (a table) from a checkpoint\'s weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "encode" -d 'Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "decode" -d 'Map latents [n, dimensions] to images, or to points in their own units'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "log-prob" -d 'Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "import" -d 'Convert a checkpoint of the reference implementation, with both sets of weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write both sets of weights into a safetensors file, by the reference implementation\'s names'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "completions" -d 'Print a script with which a shell completes commands and options'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "man" -d 'Write manual pages: one of the program, one of each command'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand train; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -s V -l version -d 'Print version'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "imagenet" -d 'Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org\'s batches'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "celeba-tfr" -d 'CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "celeba-5bit" -d 'CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "mnist" -d 'MNIST: the four idx files, gzipped or not'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "fashion-mnist" -d 'Fashion-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "kmnist" -d 'Kuzushiji-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "k49" -d 'Kuzushiji-49: four .npz files, such as k49-train-imgs.npz'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "emnist" -d 'EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "cifar10" -d 'CIFAR-10: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "cifar100" -d 'CIFAR-100: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "svhn" -d 'Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "images" -d 'Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "digits" -d 'The small digits that ship with this project: two .npy files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "inspect" -d 'Say what a directory of shards holds, and draw a contact sheet'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "verify" -d 'Read everything in a directory of shards and compare it with its checksums'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "export" -d 'Write shards as .npy or PNG files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "synth" -d 'Make up an input of a published layout, of any size, without downloading anything'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and not __fish_seen_subcommand_from imagenet celeba-tfr celeba-5bit mnist fashion-mnist kmnist k49 emnist cifar10 cifar100 svhn images digits inspect verify export synth help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l size -d 'Side of the images: 32 or 64 for the published sets' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l counts -d 'Numbers of training and test images, if not 1281149,49999 (1281167,50000 of image-net.org\'s batches)' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from imagenet" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l resolution -d 'Side of the images: a power of two from 2 to 1024 that the archive has' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l counts -d 'Numbers of training and test images, if not 27000,3000' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-tfr" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l test-images -d 'The first N images are for testing, all others for training' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from celeba-5bit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from mnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from fashion-mnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from kmnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l counts -d 'Numbers of training and test images, if not 232365,38547' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from k49" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l split -d 'Which of the selections to convert [default: the one that is there]' -r -f -a "balanced\t'47 classes, those of letters that look alike in both cases merged, as many images of each'
byclass\t'All images, 62 classes'
bymerge\t'All images, 47 classes'
letters\t'Letters, both cases in one of 26 classes'
digits\t'Digits, as many images of each'
mnist\t'Digits, as many as in MNIST'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from emnist" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l partial -d 'Take the batch files that are there, even if some are missing or incomplete'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar10" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l labels -d 'Which of the two labels of an image to keep' -r -f -a "fine\t'The 100 classes'
coarse\t'The 20 superclasses'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l partial -d 'Take incomplete files as they are'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from cifar100" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l counts -d 'Numbers of training and test images, if not 73257,26032 (604388,26032 with --extra)' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l extra -d 'Add the easier images of extra_32x32.mat to those for training'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from svhn" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l size -d 'Size of the images to make, in pixels: a number makes squares, two numbers are the width and the height' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l test-every -d 'Every N-th picture, in the order of their names, is for testing; with classes every N-th of each class' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l splits -d 'What tells the pictures for training from those for testing, instead of --test-every' -r -f -a "folders\t'The folders `train` and `test` (or else `val`) at the top'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l classes -d 'The source of the pictures\' classes, which become their labels' -r -f -a "folders\t'The folders at the top, or within those of the splits, in the order of their names'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l grey -d 'Make grey images of one channel'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l skip-damaged -d 'Leave out pictures that are damaged, too large or transparent, instead of refusing all'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from images" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l input -d 'Directory to look in instead of `data` and the current one' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l out -d 'Directory to write to [default: where the configurations look, such as data/cifar10]' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l codec -d 'How to store images' -r -f -a "med-zstd1\t'Predicted and compressed'
raw\t'As they are: larger, faster'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l limit -d 'Take only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l jobs -d 'Shards to make at the same time, by each process [default: one for each processor]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l images-per-shard -d 'Images in a shard [default: 64 MB of pixels, at most 10,000]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l force -d 'Replace a complete data set'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -l dry-run -d 'Look at the input and say what would be written, but write nothing'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from digits" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from inspect" -l sheet -d 'Draw a contact sheet of each split, `<split>.png`, in this directory, or in the data set\'s own' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from inspect" -l force -d 'Replace contact sheets that exist'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from export" -l format -d 'What to write' -r -f -a "npy\t'train.npy and test.npy (uint8, n x height x width x channels), with labels (int64) and attributes (int8) beside them'
png\t'A folder of PNGs for each split, with labels.csv; fewer than 256 levels are stretched to 0…255'"
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from export" -l out -d 'Directory to write to' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from export" -l limit -d 'Only the first N images of each split' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from export" -l force -d 'Write into a directory that is not empty, over files of the same names'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from synth" -l out -d 'Directory to write to' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from synth" -l counts -d 'Numbers of training and test images' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from synth" -l size -d 'Side of the images of ImageNet [default: 64] and celeba-tfr [default: 256]' -r
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from synth" -l force -d 'Write into a directory that is not empty, over files of the same names'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from synth" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "imagenet" -d 'Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org\'s batches'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "celeba-tfr" -d 'CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "celeba-5bit" -d 'CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "mnist" -d 'MNIST: the four idx files, gzipped or not'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "fashion-mnist" -d 'Fashion-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "kmnist" -d 'Kuzushiji-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "k49" -d 'Kuzushiji-49: four .npz files, such as k49-train-imgs.npz'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "emnist" -d 'EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "cifar10" -d 'CIFAR-10: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "cifar100" -d 'CIFAR-100: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "svhn" -d 'Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "images" -d 'Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "digits" -d 'The small digits that ship with this project: two .npy files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'Say what a directory of shards holds, and draw a contact sheet'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Read everything in a directory of shards and compare it with its checksums'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write shards as .npy or PNG files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "synth" -d 'Make up an input of a published layout, of any size, without downloading anything'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand preprocess; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand pages" -l share -d 'The directory; files that are there are replaced' -r -F
complete -c residual-flows -n "__fish_residual_flows_using_subcommand pages" -s h -l help -d 'Print help'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and not __fish_seen_subcommand_from train preprocess pages help" -f -a "train" -d 'Train, evaluate and sample Residual Flows'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and not __fish_seen_subcommand_from train preprocess pages help" -f -a "preprocess" -d 'Turn published image data sets into tensor shards, look at them, check them'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and not __fish_seen_subcommand_from train preprocess pages help" -f -a "pages" -d 'Write shell completions and manual pages of all programs, for a directory such as /usr/share'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and not __fish_seen_subcommand_from train preprocess pages help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "animate" -d 'Make an animated GIF of the pictures that a run drew'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "check" -d 'Certify the Lipschitz bounds of a checkpoint\'s weights, and measure how well samples are reconstructed'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "config" -d 'Print what settings there are: all defaults, one key explained, or a schema for editors'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "density" -d 'Write the log-density (nats, in the data\'s own units) of every point of a file'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "devices" -d 'List the devices that `device` and --device can name, and what others would need'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "estimator" -d 'Measure estimators of log-determinants against the exact value: bias, variance and cost'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "evaluate" -d 'Measure the bits/dim (of images) or nats (of points) of a checkpoint on test data, and score every sample'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "report" -d 'Write one HTML file with curves, samples, settings and environment of one or several runs, or serve it while they go on'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "sample" -d 'Sample images (a picture) or points (a table) from a checkpoint\'s weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "encode" -d 'Map dequantised images in [0, 1], [n, channels, height, width], or points, [n, dimensions], to latents [n, dimensions]'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "decode" -d 'Map latents [n, dimensions] to images, or to points in their own units'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "log-prob" -d 'Write the log-density of each image, or of each point in its own units, in nats, [n]; the summary has means and bits/dim'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "import" -d 'Convert a checkpoint of the reference implementation, with both sets of weights'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "export" -d 'Write both sets of weights into a safetensors file, by the reference implementation\'s names'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "completions" -d 'Print a script with which a shell completes commands and options'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from train" -f -a "man" -d 'Write manual pages: one of the program, one of each command'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "imagenet" -d 'Downsampled ImageNet: train_SxS and valid_SxS as .npy, .tar or folder, or image-net.org\'s batches'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "celeba-tfr" -d 'CelebA-HQ as published with Glow: celeba-tfr.tar, read in place, or unpacked'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "celeba-5bit" -d 'CelebA-HQ 64x64 with 5 bits: celeba_full_64x64_5bit.npy'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "mnist" -d 'MNIST: the four idx files, gzipped or not'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "fashion-mnist" -d 'Fashion-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "kmnist" -d 'Kuzushiji-MNIST: four idx files named as those of MNIST'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "k49" -d 'Kuzushiji-49: four .npz files, such as k49-train-imgs.npz'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "emnist" -d 'EMNIST, handwritten digits and letters: idx files of a selection, or gzip.zip'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "cifar10" -d 'CIFAR-10: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "cifar100" -d 'CIFAR-100: the binary or the Python version, as published or extracted'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "svhn" -d 'Street View House Numbers: train_32x32.mat and test_32x32.mat, with --extra extra_32x32.mat'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "images" -d 'Your own pictures (PNG, JPEG, WebP, BMP, GIF, TIFF): their centres, resampled'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "digits" -d 'The small digits that ship with this project: two .npy files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "inspect" -d 'Say what a directory of shards holds, and draw a contact sheet'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "verify" -d 'Read everything in a directory of shards and compare it with its checksums'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "export" -d 'Write shards as .npy or PNG files'
complete -c residual-flows -n "__fish_residual_flows_using_subcommand help; and __fish_seen_subcommand_from preprocess" -f -a "synth" -d 'Make up an input of a published layout, of any size, without downloading anything'
