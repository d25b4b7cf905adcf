# Made by 'sxs setup': what sxs shows of installed packages comes after the host's own.
# Reading it twice changes nothing.
contains -- /usr/store/bin $PATH
or set -gx PATH $PATH /usr/store/bin

set -l sxs_data (string split -n : -- "$XDG_DATA_DIRS")
test -n "$sxs_data"
or set sxs_data /usr/local/share /usr/share
contains -- /usr/store/share $sxs_data
or set -gx XDG_DATA_DIRS (string join : -- $sxs_data /usr/store/share)

# An empty entry stands for the host's own manuals.
set -q MANPATH[1]
or set -gx MANPATH ''
contains -- /usr/store/share/man $MANPATH
or set -gx MANPATH $MANPATH /usr/store/share/man
