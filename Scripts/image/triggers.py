"""Makes the caches that packages' triggers make on installation, by running the image's own programs in it.

Without these caches, programs of the unmodified image would not find their schemas, plugins and types.
"""

import os
import subprocess

from endtoend.room import Room

# A file or directory (a pattern) whose presence calls for the command, and the command, run by the image's shell.
TRIGGERS = [
    ("usr/lib/*/glib-2.0/glib-compile-schemas",
     "test ! -d /usr/share/glib-2.0/schemas || /usr/lib/*/glib-2.0/glib-compile-schemas /usr/share/glib-2.0/schemas"),
    ("usr/lib/*/glib-2.0/gio-querymodules",
     "for d in /usr/lib/*/gio/modules /usr/lib/*/gtk-4.0/4.0.0/*/; do "
     "test ! -d $d || /usr/lib/*/glib-2.0/gio-querymodules $d; done"),
    ("usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders",
     "/usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders --update-cache"),
    ("usr/lib/*/libgtk-3-0/gtk-query-immodules-3.0",
     "/usr/lib/*/libgtk-3-0/gtk-query-immodules-3.0 --update-cache"),
    ("usr/lib/*/libgtk2.0-0/gtk-query-immodules-2.0",
     "/usr/lib/*/libgtk2.0-0/gtk-query-immodules-2.0 --update-cache"),
    ("usr/bin/update-mime-database", "update-mime-database /usr/share/mime"),
    ("usr/bin/gtk-update-icon-cache",
     "for d in /usr/share/icons/*/index.theme; do gtk-update-icon-cache --quiet --force ${d%/*}; done"),
    ("usr/bin/update-desktop-database", "update-desktop-database"),
    ("usr/lib/libreoffice/share/.registry",
     "cp -R --no-dereference /usr/lib/libreoffice/share/.registry/. /etc/libreoffice/registry"),
    ("usr/bin/dot", "dot -c"),
    ("usr/bin/ghc-pkg", "ghc-pkg recache --global"),
    ("usr/bin/swipl", "swipl -q -g 'make_library_index(swi(library))' -t halt"),
    ("usr/sbin/update-dictcommon-aspell", "update-dictcommon-aspell"),
    ("usr/sbin/update-xmlcatalog",
     "sed -n 's/^[[:space:]]*update-xmlcatalog /update-xmlcatalog /p' /var/lib/dpkg/info/xml-core.postinst "
     "/var/lib/dpkg/info/*.postinst | sh -e"),
    # Every module of every PHP is enabled for every way to run it, as php-maintscript-helper does.
    ("etc/php/*/mods-available", r"""
for v in /etc/php/*; do
    for f in /usr/share/php${v##*/}-*/*/*.ini; do test ! -f $f || cp $f $v/mods-available/; done
    for s in $v/*/conf.d/..; do
        test ! -d $s || for f in $v/mods-available/*.ini; do
            n=$(sed -n 's/^; *priority=\([0-9]*\).*/\1/p' $f)
            ln -sf $f $s/conf.d/${n:-20}-${f##*/}
        done
    done
done"""),
    ("usr/bin/fmtutil-sys", "{ update-texmf; mktexlsr; update-fmtutil; update-updmap; updmap-sys --nohash; "
     "for f in tex pdftex latex pdflatex mf; do fmtutil-sys --byfmt $f; done; mktexlsr /var/lib/texmf; } >/dev/null"),
    ("usr/share/ca-certificates-java/ca-certificates-java.jar",
     "mkdir -p /etc/ssl/certs/java; for c in /etc/ssl/certs/*.pem; do echo +$c; done | "
     "java -Xmx64m -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass changeit >/dev/null"),
]


def run_all(directory):
    """Runs every trigger whose file the image at `directory` has, in order, in the image's own root."""
    for pattern, command in TRIGGERS:
        if next(iter(directory.glob(pattern)), None) is None:
            continue
        result = Room(directory).run(
            ["/bin/sh", "-euc", command],
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp/home", "LC_ALL": "C.UTF-8",
             "SOURCE_DATE_EPOCH": "0"})
        if result.returncode != 0:
            raise OSError(f"in the image, `{command}` failed: {os.fsdecode(result.stderr).strip()}")
