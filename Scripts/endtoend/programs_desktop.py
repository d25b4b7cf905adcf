"""Tasks of the breadth matrix for what draws: X, GTK, Qt, Mesa, fonts, pictures, sound and office documents.

The X server is the image's own. A window is there when the screen differs from the empty one and no longer
changes; the digest of its pixels is part of the output, so that it has to look as in the unmodified image.
"""

from .tasks import Task

WAIT = r"""
USR=$("$BIN/dash" -c 'set -- /usr/store/*-desktop-*/usr; if [ -d "$1" ]; then echo "$1"; else echo /usr; fi')
wait_for() { n=0; until "$@" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 300 ] || { echo "gave up: $*" >&2; return 1; }; sleep 0.1; done; }
digest() { convert "$1" -depth 8 rgb:- | sha256sum | cut -c 1-16; }
"""
# No cursor that blinks, no animations, no accessibility bus: a screen that comes to rest.
X = WAIT + r"""
export NO_AT_BRIDGE=1 XDG_RUNTIME_DIR="$PWD/run" LIBGL_ALWAYS_SOFTWARE=1 GTK_A11Y=none QT_LINUX_ACCESSIBILITY_ALWAYS_ON=0
mkdir -m 700 run
for v in 3 4; do mkdir -p .config/gtk-$v.0
printf '[Settings]\ngtk-cursor-blink=0\ngtk-enable-animations=0\ngtk-font-name=DejaVu Sans 10\n' >.config/gtk-$v.0/settings.ini; done
Xvfb :7 -screen 0 640x480x24 -nolisten tcp -noreset >xvfb.log 2>&1 &
export DISPLAY=:7
wait_for xdpyinfo || { cat xvfb.log >&2; exit 1; }
shot() { xwd -root -silent -out screen.xwd; digest screen.xwd; }
EMPTY=$(shot)
# Prints what the screen shows once it is at rest, and that it is not empty.
at_rest() {
    before=; count=0
    while :; do
        now=$(shot)
        if [ "$now" = "$before" ] && [ "$now" != "$EMPTY" ]; then break; fi
        before=$now; count=$((count + 1))
        [ $count -lt 60 ] || { echo "the screen is empty or never at rest" >&2; cat ./*.log >&2; return 1; }
        sleep 0.5
    done
    convert screen.xwd -format "window of %k colours $now\n" info:
}
"""
BUS = r"""
[ -s /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >/etc/machine-id
export XDG_RUNTIME_DIR="$PWD/run"
mkdir -pm 700 run
eval "$(dbus-launch --sh-syntax)"
trap 'kill $DBUS_SESSION_BUS_PID' EXIT
"""
SVG = r"""
cat >a.svg <<'END'
<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><defs><linearGradient id="g"><stop offset="0" stop-color="red"/>
<stop offset="1" stop-color="blue"/></linearGradient></defs><rect width="80" height="60" fill="url(#g)"/>
<text x="5" y="40" font-family="DejaVu Sans" font-size="30" fill="white">Ag</text></svg>
END
"""

# Why a task is known to fail somewhere.
KNOWN = {}

TASKS = [Task(name, "desktop", pattern, script, known=KNOWN.get(name)) for name, pattern, script in [
    ("xvfb: starts with its keyboard maps, and is asked", r"^dimensions: +640x480", X + r"""
xdpyinfo | sed -n 's/^ *dimensions/dimensions/p'
xdpyinfo | grep -c 'GLX\|RENDER\|RANDR'
setxkbmap -query 2>/dev/null || true
xkbcomp -xkb :7 - 2>/dev/null | grep -c 'key <'
xset q | grep -c 'Font Path'
xlsfonts | head -n 3
xrandr 2>/dev/null | grep -c '640x480'
"""),
    ("xterm: a terminal that shows what is printed", r"^window of", X + r"""
xterm -geometry 40x8+5+5 -fa 'DejaVu Sans Mono' -fs 12 -e sh -c 'printf "\033[31mred\033[0m grün 漢\n\033[?25l"; sleep 60' 2>xterm.log &
wait_for xdotool search --class xterm
at_rest
xdotool search --class xterm getwindowgeometry | tail -n 1
"""),
    ("xclock and xeyes: Athena widgets", r"^window of", X + r"""
TZ=UTC xlogo -geometry 200x200+10+10 &
wait_for xdotool search --class xlogo
xmessage -geometry +220+220 'a message' 2>m.log &
wait_for xdotool search --class xmessage
at_rest
xlsclients | sed 's/.*  *//' | sort
"""),
    ("xclip: gives the clipboard to another program", r"^from the clipboard", X + r"""
echo 'from the clipboard' | xclip -selection clipboard >/dev/null 2>&1
xclip -selection clipboard -o
xprop -root -spy -len 1 >/dev/null 2>&1 & xprop -root _XKB_RULES_NAMES
"""),
    ("gtk3: zenity opens a dialogue, takes keys and answers", r"^typed$", X + r"""
zenity --entry --title=Q --text='What is <b>your</b> name?' >answer 2>zenity.log &
wait_for xdotool search --name '^Q$'
at_rest
xdotool search --name '^Q$' windowfocus --sync type typed
at_rest
xdotool key Return
wait_for test -s answer
cat answer
"""),
    ("gtk3: the widget factory, with icons and themes", r"^window of", X + r"""
gtk3-widget-factory 2>gtk.log &
wait_for xdotool search --onlyvisible --class widget-factory
# Its progress bars move.
at_rest | sed 's/of [0-9][0-9][0-9][0-9]* colours.*/of many colours/'
! grep -i 'could not load\|not found' gtk.log
"""),
    ("gtk3: a Python program draws with Cairo and loads a picture", r"^drawn \d+", X + SVG + r"""
cat >a.py <<'END'
import gi
gi.require_version("Gtk", "3.0"); gi.require_version("PangoCairo", "1.0")
from gi.repository import Gtk, Gdk, GdkPixbuf, GLib, Pango, PangoCairo
window = Gtk.Window(title="T"); window.set_default_size(300, 200)
box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL); window.add(box)
box.add(Gtk.Image.new_from_pixbuf(GdkPixbuf.Pixbuf.new_from_file("a.svg")))
box.add(Gtk.Image.new_from_icon_name("document-open", Gtk.IconSize.DIALOG))
area = Gtk.DrawingArea(); area.set_size_request(300, 80); box.add(area)
def draw(widget, cr):
    cr.set_source_rgb(0, 0.5, 0); cr.rectangle(10, 10, 100, 50); cr.fill()
    layout = PangoCairo.create_layout(cr); layout.set_text("Füße ﷼", -1); cr.move_to(120, 20); PangoCairo.show_layout(cr, layout)
area.connect("draw", draw); window.show_all()
def done():
    w = window.get_window(); p = Gdk.pixbuf_get_from_window(w, 0, 0, w.get_width(), w.get_height())
    print("drawn", len(set(p.get_pixels()[i:i + 3] for i in range(0, len(p.get_pixels()) - 3, 3))), flush=True)
GLib.timeout_add(1500, done)
GLib.timeout_add(20000, Gtk.main_quit)
Gtk.main()
END
python3 a.py >out 2>gtk.log &
wait_for xdotool search --name '^T$'
wait_for test -s out
cat out
at_rest
"""),
    ("gtk4: the widget factory, drawn by Cairo", r"^window of", X + r"""
GSK_RENDERER=cairo gtk4-widget-factory 2>gtk.log &
wait_for xdotool search --onlyvisible --class widget-factory
# Its progress bars move.
at_rest | sed 's/of [0-9][0-9][0-9][0-9]* colours.*/of many colours/'
"""),
    ("gtk4: a demo drawn through OpenGL by Mesa", r"^window of", X + r"""
GSK_RENDERER=gl GDK_DEBUG=gl-egl gtk4-icon-browser 2>gtk.log &
at_rest
"""),
    ("qt5: an editor opens a file and takes keys", r"^window of", X + r"""
printf 'int main(void)\n{\n    return 0; // grün\n}\n' >a.c
featherpad --standalone a.c 2>qt.log &
wait_for xdotool search --name 'a.c'
sleep 1
xdotool search --onlyvisible --name 'a.c' windowfocus
xdotool key ctrl+End; xdotool type 'x = 1;'
xdotool key ctrl+s
wait_for grep 'x = 1;' a.c
cat a.c
at_rest() { shot >/dev/null; convert screen.xwd -format 'window of %k colours\n' info:; }
at_rest | sed 's/of [0-9][0-9][0-9]* colours/of many colours/'
"""),
    ("qt5: a Python program with widgets, SVG and printing", r"^PDF %PDF", X + SVG + r"""
cat >a.py <<'END'
from PyQt5 import QtCore, QtGui, QtWidgets, QtPrintSupport
app = QtWidgets.QApplication(["a", "-style", "fusion"])
w = QtWidgets.QWidget(); w.setWindowTitle("T"); box = QtWidgets.QVBoxLayout(w)
label = QtWidgets.QLabel("Füße"); box.addWidget(label); b = QtWidgets.QPushButton("Push"); box.addWidget(b)
w.resize(200, 120); w.show()
p = QtPrintSupport.QPrinter(); p.setOutputFormat(p.PdfFormat); p.setOutputFileName("out.pdf")
def done():
    painter = QtGui.QPainter(p); w.render(painter); painter.end()
    print("PDF", open("out.pdf", "rb").read(5).decode(), app.platformName(), sorted(bytes(f).decode() for f in QtGui.QImageReader.supportedImageFormats())[:6], flush=True)
QtCore.QTimer.singleShot(500, done); QtCore.QTimer.singleShot(30000, app.quit); app.exec_()
END
python3 a.py >out 2>qt.log &
wait_for test -s out
cat out
at_rest
"""),
    ("qt6: a Python program opens a window", r"^xcb", X + r"""
cat >a.py <<'END'
from PyQt6 import QtCore, QtGui, QtWidgets
app = QtWidgets.QApplication(["a", "-style", "fusion"])
w = QtWidgets.QTableWidget(3, 2); w.setWindowTitle("T")
for i in range(6): w.setItem(i // 2, i % 2, QtWidgets.QTableWidgetItem("ü%d" % i))
w.resize(300, 200); w.show()
QtCore.QTimer.singleShot(500, lambda: print(app.platformName(), app.font().family() != "", QtCore.QLocale("de_DE").toString(1234.5), flush=True))
QtCore.QTimer.singleShot(30000, app.quit); app.exec()
END
python3 a.py >out 2>qt.log &
wait_for test -s out
cat out
at_rest
"""),
    ("qt6: help is generated, and Assistant opens", r"^window of", X + r"""
mkdir doc
echo '<html><head><title>Title</title></head><body><h1>Help text</h1></body></html>' >doc/index.html
cat >a.qhp <<'END'
<?xml version="1.0" encoding="UTF-8"?><QtHelpProject version="1.0"><namespace>org.example.a</namespace><virtualFolder>doc</virtualFolder>
<filterSection><toc><section title="A" ref="doc/index.html"/></toc><keywords><keyword name="k" ref="doc/index.html"/></keywords>
<files><file>doc/index.html</file></files></filterSection></QtHelpProject>
END
"$BIN/env" "$USR/lib/qt6/libexec/qhelpgenerator" a.qhp -o a.qch | tail -n 1
python3 -c 'import sqlite3; print(sqlite3.connect("a.qch").execute("select Name from FileNameTable").fetchall())'
"$BIN/env" "$USR/lib/qt6/bin/assistant" 2>qt.log &
wait_for xdotool search --name Assistant
at_rest | sed 's/of [0-9][0-9][0-9]* colours.*/of many colours/'
"""),
    ("tk: wish draws; Python's tkinter too", r"^16x16", X + r"""
printf 'label .l -text "grün" -font {{DejaVu Sans} 14}; canvas .c -width 200 -height 100 -bg white; .c create oval 10 10 90 90 -fill red; pack .l .c; image create photo p -width 16 -height 16; puts "[image width p]x[image height p]"; after 30000 exit\n' >a.tcl
wish a.tcl >out 2>tk.log &
wait_for test -s out
cat out
at_rest
python3 -c 'import tkinter, tkinter.ttk; t = tkinter.Tk(); t.title("P"); tkinter.ttk.Button(t, text="ok").pack(); t.after(1000, t.destroy); t.mainloop(); print(t.tk.call("info", "patchlevel") if False else "closed")'
"""),
    ("mesa: GLX, and what is drawn by llvmpipe", r"OpenGL renderer string: llvmpipe", X + r"""
glxinfo -B | grep 'renderer string\|core profile version\|direct rendering'
glxdemo >demo.log 2>&1 &
at_rest
"""),
    ("mesa: EGL and OpenGL ES, on a surface and without", r"^window of", X + r"""
es2_info 2>/dev/null | grep 'GL_RENDERER\|EGL_VERSION' | sed 's/(LLVM.*//'
es2tri >e.log 2>&1 &
at_rest
eglinfo 2>/dev/null | grep -A 3 '^Surfaceless platform' | head -n 4
"""),
    ("vulkan: lavapipe is found by its manifest", r"llvmpipe", X + r"""
vulkaninfo --summary 2>/dev/null | grep 'deviceName\|driverName\|apiVersion'
vkcube --c 5 --suppress_popups 2>&1 | grep -v 'present mode' | tail -n 1
"""),
    ("sdl: pygame opens a window and draws text", r"^x11", X + r"""
cat >a.py <<'END'
import os, pygame
pygame.init(); s = pygame.display.set_mode((200, 150)); s.fill((10, 20, 30))
pygame.draw.circle(s, (200, 0, 0), (100, 75), 50); s.blit(pygame.font.Font(None, 30).render("hi", True, (255, 255, 255)), (80, 60)); pygame.display.flip()
print(pygame.display.get_driver(), pygame.image.get_extended(), flush=True)
for i in range(300): pygame.event.pump(); pygame.time.wait(100)
END
SDL_AUDIODRIVER=dummy PYGAME_HIDE_SUPPORT_PROMPT=1 python3 a.py >out 2>sdl.log &
wait_for test -s out
cat out
at_rest
"""),
    ("feh: shows a picture through Imlib's loaders", r"^window of", X + SVG + r"""
rsvg-convert a.svg -o a.png
convert a.png a.jpg
feh -g 100x100+0+0 a.jpg 2>feh.log &
wait_for xdotool search --class feh
at_rest
feh -l a.png a.jpg | awk 'NR > 1 {print $2, $3, $4}'
"""),
    ("imagemagick: reads and writes through its coder modules, labels text", r"^80x60", WAIT + SVG + r"""
convert a.svg b.png
digest b.png
convert -size 60x40 -font DejaVu-Sans label:Text c.png
digest c.png
for f in jpg gif webp tiff ppm bmp; do convert b.png x.$f; identify -format '%m %wx%h\n' x.$f; done 2>&1
identify -format '%wx%h\n' b.png
convert -list font | grep -c 'Font: DejaVu'
"""),
    ("fontconfig: matches fonts by language and style", r"DejaVu Sans", WAIT + r"""
fc-match sans
fc-match 'mono:bold' file family | sed 's|=.*/|=|'
fc-list :lang=de family | sort -u
fc-cat -v 2>/dev/null | head -n 0
fc-query "$(fc-match -f '%{file}' serif)" | grep 'postscriptname\|weight'
fc-conflist | grep -c '^+'
"""),
    ("pango: lays text out and renders it", r"^png \d+", WAIT + r"""
pango-view --no-display --font='DejaVu Sans 20' --text='Ägypten שלום ffi' -o out.png
convert out.png -format 'png %w\n' info:
digest out.png
pango-view --no-display --markup --font='DejaVu Serif 20' --text='<b>bold</b> <i>italic</i>' -o out2.png
digest out2.png
pango-list | grep -c DejaVu
"""),
    ("gdk-pixbuf: loads SVG by its loader, makes thumbnails", r"^80 60", WAIT + SVG + r"""
rsvg-convert a.svg | digest -
gdk-pixbuf-thumbnailer -s 64 a.svg t.png
digest t.png
python3 -c '
import gi; gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf
p = GdkPixbuf.Pixbuf.new_from_file("a.svg"); print(p.get_width(), p.get_height(), sorted(f.get_name() for f in GdkPixbuf.Pixbuf.get_formats()))'
"""),
    ("gstreamer: encodes and decodes with its plugins", r"^PNG 320x240", WAIT + r"""
gst-launch-1.0 -q videotestsrc num-buffers=1 ! videoconvert ! pngenc ! filesink location=a.png
identify -format '%m %wx%h\n' a.png
digest a.png
gst-launch-1.0 -q audiotestsrc num-buffers=20 ! audioconvert ! vorbisenc ! oggmux ! filesink location=a.ogg
gst-launch-1.0 -q filesrc location=a.ogg ! decodebin ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=44100,channels=1 ! wavenc ! filesink location=a.wav
soxi -D a.wav
gst-discoverer-1.0 a.ogg 2>/dev/null | grep -i 'duration\|audio' || gst-typefind-1.0 a.ogg
gst-inspect-1.0 | tail -n 1
"""),
    ("gsettings: keeps a value through D-Bus activation of dconf", r"^'blue'", WAIT + BUS + r"""
gsettings list-schemas | grep -c gnome.desktop
gsettings get org.gnome.desktop.interface cursor-theme
gsettings set org.gnome.desktop.interface cursor-theme blue
gsettings get org.gnome.desktop.interface cursor-theme
dconf read /org/gnome/desktop/interface/cursor-theme
dconf dump / | sort
gsettings range org.gnome.desktop.interface color-scheme 2>/dev/null | head -n 3
"""),
    ("gio: types and modules without a word from the session", r"text/x-python", WAIT + r"""
unset XDG_DATA_DIRS
echo 'print(1)' >a.py
gio info -a standard::content-type a.py | tail -n 1
printf '\211PNG\r\n\032\n' >x
gio info -a standard::content-type x | tail -n 1
gio cat a.py
gio mime text/x-python | head -n 2
gio trash a.py 2>&1 && ls .local/share/Trash/files
desktop-file-validate "$USR/share/applications/featherpad.desktop" && echo valid
"""),
    ("libreoffice: converts a document to PDF and a table to CSV", r"^Zwei Wörter", WAIT + r"""
printf 'Zwei Wörter\n' >a.txt
cat >a.fods <<'END'
<?xml version="1.0" encoding="UTF-8"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:body><office:spreadsheet><table:table table:name="S"><table:table-row><table:table-cell office:value-type="float" office:value="20"/><table:table-cell table:formula="of:=[.A1]*2+2"/><table:table-cell table:formula="of:=SUM([.A1:.B1])"/></table:table-row></table:table></office:spreadsheet></office:body></office:document>
END
soffice --headless --convert-to pdf a.txt >log 2>&1 || { cat log; exit 1; }
pdftotext a.pdf - | head -n 1
pdffonts a.pdf | awk 'NR > 2 {print $1}' | sed 's/.*+//'
soffice --headless --convert-to csv a.fods >log 2>&1 || { cat log; exit 1; }
cat a.csv
soffice --headless --convert-to odt a.txt >log 2>&1
soffice --headless --convert-to html a.odt >log 2>&1
grep -c 'Zwei W' a.html
"""),
    ("gimp: runs a script without a window", r"^GIMP 40 30", WAIT + SVG + r"""
rsvg-convert a.svg -o a.png
cat >batch.scm <<'END'
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "a.png" "a.png"))) (layer (car (gimp-image-get-active-drawable image))))
  (gimp-image-scale image 40 30)
  (plug-in-gauss RUN-NONINTERACTIVE image (car (gimp-image-get-active-drawable image)) 3 3 0)
  (gimp-file-save RUN-NONINTERACTIVE image (car (gimp-image-get-active-drawable image)) "b.png" "b.png")
  (gimp-message (string-append "GIMP " (number->string (car (gimp-image-width image))) " " (number->string (car (gimp-image-height image)))))
  (gimp-quit 0))
END
gimp-console -i -d -f -b "$(cat batch.scm)" >log 2>&1 || { cat log; exit 1; }
grep -o 'GIMP [0-9]* [0-9]*' log
identify -format '%m %wx%h\n' b.png
digest b.png
"""),
    ("vips: scales and convolves, with its loader modules", r"^40x30", WAIT + SVG + r"""
rsvg-convert a.svg -o a.png
vips resize a.png b.png 0.5
vips gaussblur b.png c.png 1
identify -format '%wx%h\n' c.png
vipsheader c.png | sed 's/^[^:]*: //'
vips copy a.png a.jpg && vips copy a.jpg a.webp && vipsheader -f vips-loader a.webp
vips avg c.png
"""),
    ("sox: synthesises and encodes through its format plugins", r"^1\.500000", WAIT + r"""
sox -R -n -r 16000 a.wav synth 1 sine 440 : trim 0 0.5 2>/dev/null || sox -R -n -r 16000 a.wav synth 1.5 sine 440
sox -R -n -r 16000 a.wav synth 1.5 sine 440 gain -6
soxi -D a.wav
for f in flac ogg mp3 gsm amr-nb; do sox -R a.wav -r 8000 -c 1 a.$f 2>/dev/null && soxi -t a.$f; done
sox a.wav -n stat 2>&1 | grep 'RMS.*amplitude'
sox -R a.wav b.wav reverb 20 tempo 1.2
soxi -D b.wav
"""),
    ("weechat: loads plugins written in C, and scripts", r"^from python 3", WAIT + r"""
mkdir -p w/python w/perl
cat >w/a.py <<'END'
import weechat, sys
weechat.register("a", "x", "1", "GPL3", "", "", "")
open("/tmp/home/out", "a").write("from python %s %s\n" % (sys.version.split(".")[0], weechat.info_get("version", "")))
END
printf 'weechat::register("b", "x", "1", "GPL3", "", "", ""); open(F, ">>", "/tmp/home/out"); print F "from perl\\n"; close F;\n' >w/b.pl
weechat-headless -d "$PWD/w" -r '/script load /tmp/home/w/a.py' -r '/script load /tmp/home/w/b.pl' -r '/python load /tmp/home/w/a.py' -r '/perl load /tmp/home/w/b.pl' \
    -r '/plugin listfull' -r '/quit' >log 2>&1
sort -u out
ls w/logs w/python w/perl 2>/dev/null | head -n 0
"""),
    ("matplotlib: plots to PNG, SVG and a window", r"^PNG 320x240", X + r"""
cat >a.py <<'END'
import sys, matplotlib
matplotlib.use(sys.argv[1])
import matplotlib.pyplot as plt, numpy as np
fig, ax = plt.subplots(figsize=(3.2, 2.4), dpi=100)
ax.plot(np.linspace(0, 6, 50), np.sin(np.linspace(0, 6, 50))); ax.set_title("sin $x^2$ ü")
if sys.argv[1] == "Agg": fig.savefig("a.png"); fig.savefig("a.pdf")
else: plt.show()
END
export MPLCONFIGDIR="$PWD/mpl"
mkdir mpl
python3 a.py Agg 2>/dev/null
identify -format '%m %wx%h\n' a.png
digest a.png
pdftotext a.pdf - | grep -c ü
python3 a.py TkAgg 2>tk.log &
wait_for xdotool search --name 'Figure 1'
at_rest
"""),
    ("poppler and netpbm: pages to pictures", r"^P6", WAIT + SVG + r"""
rsvg-convert -f pdf a.svg -o a.pdf
pdftoppm -r 72 -singlefile a.pdf p
head -c 2 p.ppm; echo
ppmtopgm p.ppm | pamscale -width 20 2>/dev/null | pamfile | sed 's/^[^:]*://'
pdftocairo -svg a.pdf b.svg
rsvg-convert b.svg | digest -
pdfinfo a.pdf | grep 'Page size'
"""),
]]
