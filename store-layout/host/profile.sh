# Made by 'sxs setup': what sxs shows of installed packages comes after the host's own.
# Read by sh, bash, zsh and others through /etc/profile; reading it twice changes nothing.
case ":${PATH-}:" in
*:/usr/store/bin:*) ;;
*) export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/store/bin" ;;
esac
case ":${XDG_DATA_DIRS-}:" in
*:/usr/store/share:*) ;;
*) export XDG_DATA_DIRS="${XDG_DATA_DIRS:-/usr/local/share:/usr/share}:/usr/store/share" ;;
esac
# An empty entry, here before the colon, stands for the host's own manuals.
case ":${MANPATH-}:" in
*:/usr/store/share/man:*) ;;
*) export MANPATH="${MANPATH-}:/usr/store/share/man" ;;
esac
