"""The images of the breadth matrix: their suites, their packages, and which groups of tasks they can do."""


class Image:
    """An image of packages, and the groups of tasks (a task's `image`) that are run with it.

    `suite` is None for this machine's own release.
    """

    def __init__(self, name, suite, packages, groups):
        self.name, self.suite, self.packages, self.groups = name, suite, " ".join(packages.split()), groups


# What every release has under the same names: the tasks of the group "core" need no more.
CORE = """
bc binutils ca-certificates coreutils curl diffutils emacs-nox file findutils gawk gcc git gnupg graphviz grep
groff gzip imagemagick jq less libc-bin libc6-dev libdbd-sqlite3-perl libjson-xs-perl libxml2-utils locales-all lua5.4
lua-lpeg make ncurses-base nodejs openssl openssh-client patch perl php-cli php-sqlite3 poppler-utils python3 python3-lxml
python3-venv ripgrep rsync ruby ruby-sqlite3 sed sqlite3 tar tmux tzdata vim xsltproc xz-utils zsh zstd
"""

LARGE = """
ant asciidoctor aspell aspell-en autoconf automake bash bash-completion bat bc binutils bison borgbackup
bsdextrautils buildah ca-certificates cargo clang closure-compiler cmake coreutils cowsay curl dc diffutils
docbook-xsl doxygen emacs-nox erlang-base exiv2 fd-find ffmpeg figlet file findutils fish flac flex
fonts-dejavu-core g++ gawk gcc gdb gettext gfortran ghc ghostscript git gnuplot-nox gnupg golang-go gperf graphviz
grep groff gzip guile-3.0 hugo hunspell hunspell-en-us imagemagick jq lame less libarchive-tools libc-bin libc6-dev
libdbd-sqlite3-perl libimage-exiftool-perl libjson-xs-perl librsvg2-bin libsox-fmt-mp3 libtool
libxml-libxml-perl libxml2-utils locales-all lua-cjson lua-lpeg lua-socket lua5.1 lua5.4 luajit lynx m4 make man-db
mc meson nano nasm ncurses-base neovim netpbm ninja-build node-iconv node-node-expat node-sqlite3 nodejs ocaml-nox openjdk-17-jdk-headless
openssh-client openssl p7zip-full pandoc patch perl php-cli php-gd php-mbstring php-sqlite3 php-xml pkg-config
plantuml poppler-utils potrace python3 python3-cryptography python3-lxml python3-numpy python3-pil python3-pip
python3-sphinx python3-venv qpdf r-base-core rclone restic ripgrep rsync ruby ruby-nokogiri ruby-sqlite3 rustc
screen sed skopeo sox sqlite3 squashfs-tools strace swi-prolog-nox tar tcl tesseract-ocr tesseract-ocr-eng
texlive-fonts-recommended texlive-latex-base tidy tmux tzdata umoci units universal-ctags unzip valgrind vim
vorbis-tools w3m webp wget xmlstarlet xsltproc xz-utils yq zip zsh zstd
"""

SERVICES = """
apache2-bin bash bind9 bind9-dnsutils bind9-utils ca-certificates coreutils cron curl dash dbus-bin dbus-daemon
dnsmasq-base findutils gawk grep gzip haproxy inetutils-telnet iproute2 ldap-utils libc-bin libcap2-bin
libnginx-mod-http-echo libnss-extrausers libpam-modules libpam-modules-bin lighttpd login logrotate
mariadb-client-core mariadb-server-core memcached mosquitto mosquitto-clients netcat-openbsd nfs-common nginx
openssh-client openssh-server openssh-sftp-server openssl pamtester passwd postgresql-15 procps python3
redis-server redis-tools rpcbind samba samba-ad-provision samba-dsdb-modules samba-vfs-modules sed slapd smbclient socat stunnel4 sudo supervisor syslog-ng-core systemd
tzdata unbound util-linux vsftpd
"""

DESKTOP = """
adwaita-icon-theme assistant-qt6 coreutils dbus-bin dbus-daemon dbus-x11 dconf-cli dconf-gsettings-backend
dconf-service desktop-file-utils featherpad feh findutils fontconfig fonts-dejavu-core gawk gimp gir1.2-gtk-3.0
gir1.2-pango-1.0 grep gsettings-desktop-schemas gstreamer1.0-plugins-base gstreamer1.0-plugins-good
gstreamer1.0-tools gstreamer1.0-x gtk-3-examples gtk-4-examples gtk-update-icon-cache hicolor-icon-theme
imagemagick libegl-mesa0 libqt6sql6-sqlite libgail-common libgdk-pixbuf2.0-bin libgl1-mesa-dri libglib2.0-bin
libreoffice-calc-nogui libreoffice-writer-nogui librsvg2-bin librsvg2-common libsdl2-2.0-0 libsox-fmt-all
libvips-tools mesa-utils mesa-utils-bin mesa-vulkan-drivers netpbm pango1.0-tools poppler-utils procps
python3-gi python3-gi-cairo python3-matplotlib python3-pygame python3-pyqt5 python3-pyqt6 python3-tk
qt6-tools-dev-tools sed shared-mime-info sox tk vulkan-tools weechat-headless weechat-perl weechat-python
x11-apps x11-utils x11-xserver-utils xclip xdotool xkb-data xterm xvfb zenity
"""

IMAGES = [
    Image("large", None, LARGE, ("core", "large")),
    Image("debian11", "bullseye", CORE.replace("lua5.4", "lua5.3"), ("core",)),
    Image("debian13", "trixie", CORE, ("core",)),
    Image("testing", "forky", CORE, ("core",)),
    Image("services", None, SERVICES, ("services",)),
    Image("desktop", None, DESKTOP, ("desktop",)),
]
