"""Runs within GIMP: the user goes on working on the image while it is read and painted.

The plug-in's own modules are used from this process, so that an edit comes exactly between two of
their steps. GIMP ends a process that reads what has changed under it: then all cases are missing.
"""
# ruff: noqa: F821

import os
import tempfile
import time
from pathlib import Path

from gi.repository import Gegl, Gimp, Gio

with open(CONTEXT["helpers"], encoding="utf-8") as helpers:
    source = helpers.read()
exec(compile(source.replace("\ndef case_", "\ndef other_case_"), CONTEXT["helpers"], "exec"))

Gegl.init(None)
sys.path.insert(0, CONTEXT["plugin"])  # for what the modules import later
locate = plugin_module("pixels.layers").locate
style_pictures = plugin_module("pixels.style_pictures")
small = plugin_module("pixels.small")
choices = plugin_module("choice.choice")

hidden = plugin_module("pixels.hidden")


def images():
    """All but the one of a pixel that this process makes its hidden ones from."""
    return [each for each in Gimp.get_images() if each.get_width() > 1]


WIDE, HIGH = 1500, 900  # several blocks of tiles, several strips


def photo():
    """An image larger than its layer, a selection with soft edges, a channel."""
    image = new_image(width=1700, height=1200)
    layer = Gimp.Layer.new(
        image, "Photo", WIDE, HIGH, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    layer.set_offsets(60, 40)
    image.insert_layer(layer, None, 0)
    buffer = layer.get_buffer()
    data = bytearray(pattern(250, 150))
    for y in range(0, HIGH, 150):
        for x in range(0, WIDE, 250):
            data[2::4] = bytes([40 + x // 10 + y // 30]) * (250 * 150)  # no place like another
            buffer.set(Gegl.Rectangle.new(x, y, 250, 150), "R'G'B'A u8", bytes(data))
    buffer.flush()
    del buffer
    image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 100, 1300, 700)
    Gimp.Selection.feather(image, 60)
    Gimp.Selection.save(image).set_name("Sky")
    image.set_selected_layers([layer])
    return image, layer


EDITS = {
    "crop": lambda image, layer: image.crop(900, 500, 300, 200),
    "scale": lambda image, layer: image.scale(800, 600),
    "rotate": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES90),
    "flip": lambda image, layer: image.flip(Gimp.OrientationType.HORIZONTAL),
    "canvas": lambda image, layer: image.resize(3000, 2000, 500, 300),
    "layer to image size": lambda image, layer: layer.resize_to_image_size(),
    "layer boundary": lambda image, layer: layer.resize(700, 500, -100, -50),
    "grey": lambda image, layer: image.convert_grayscale(),
    "palette": lambda image, layer: image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 8, False, False, ""
    ),
    "precision": lambda image, layer: image.convert_precision(Gimp.Precision.FLOAT_LINEAR),
    "shadow": lambda image, layer: filtered(layer, "gegl:dropshadow"),
    "painted over": lambda image, layer: layer.fill(Gimp.FillType.WHITE),
    "layer deleted": lambda image, layer: image.remove_layer(layer),
    "image closed": lambda image, layer: image.delete(),
}


def content(image, layer):
    source = locate(image, [layer])
    return source.reader().strips(), source.close


def selection(image, layer):
    source = locate(image, [layer])
    steps = source.selection.copy()
    width, height = source.painted.width, source.painted.height

    def parts():
        for _step in steps:
            yield 0, 0, b""
        yield 0, height, source.selection.spot(0, 0, width, height)

    return parts(), source.close


def style(image, layer, **where):
    choice = choices.StyleChoice(layer=layer.get_id(), name="Style", **where)
    rect = plugin_module("pixels.rect").Rect(0, 0, WIDE, HIGH)
    return style_pictures.load_styles([choice], image, layer, rect, False)[0]


def style_layer(image, layer):
    return style(image, layer).strips, lambda: None


def mask(image, layer):
    loaded = style(image, layer, where="Sky")
    return loaded.mask.strips, lambda: None


def view(image, layer):
    look = small.LayerView(layer, plugin_module("pixels.layers").whole(layer))
    look.refresh()
    return look.small(512)[1], look.close


def undisturbed(read):
    image, layer = photo()
    parts, close = read(image, layer)
    data = b"".join(part for _y, _rows, part in parts)
    close()
    del parts
    image.delete()
    return data


def check_read_through(read):
    expected = undisturbed(read)
    assert len(set(expected)) > 20
    for name, edit in EDITS.items():
        image, layer = photo()
        parts, close = read(image, layer)
        got = bytearray()
        for _count in range(2):
            got += next(parts)[2]
        edit(image, layer)
        got += b"".join(part for _y, _rows, part in parts)
        close()
        del parts
        assert got == expected, name
        if image.is_valid():
            image.delete()
        assert not images(), f"{name}: a hidden image was left behind"


def case_the_layer_is_read_whatever_happens_to_it():
    check_read_through(content)


def case_the_selection_is_copied_whatever_happens_to_it():
    check_read_through(selection)


def case_a_style_layer_is_read_whatever_happens_to_it():
    check_read_through(style_layer)


def case_the_place_of_a_style_is_read_whatever_happens_to_it():
    check_read_through(mask)


def case_the_dialog_looks_at_the_layer_whatever_happens_to_it():
    check_read_through(view)


def case_a_layer_that_is_gone_before_it_is_read():
    image, layer = photo()
    image.remove_layer(layer)
    look = small.LayerView.__new__(small.LayerView)
    look.shown, look._copy = layer, None
    try:
        look.refresh()
    except plugin_module("protocol").EngineError as problem:
        assert problem.code == "layer-gone" and "deleted" in problem.message
    else:
        raise AssertionError("nothing was said")


# --- where the painting goes ---------------------------------------------------------------------

layers = plugin_module("pixels.layers")
inserting = plugin_module("pixels.inserting")
canvases = plugin_module("pixels.canvas")


def painted_meanwhile(image, layer, edit):
    """The layer comes back as its own painting, pixel by pixel; ``edit`` is done meanwhile."""
    source = layers.open_source(image, [layer])
    canvas = canvases.HiddenCanvas(source.seen)
    reader = source.reader()
    canvas.begin(reader.spec)
    for y, rows, data in reader.strips():
        if rows:
            canvas.write(y, rows, data)
            while canvas.work():
                pass
    edit(image, layer)
    new = inserting.insert(source, canvas, "Painting")
    source.close()
    canvas.discard()
    return new


def square(image, layer):
    """Nothing is told by sizes then."""
    layer.resize(900, 900, 0, 0)
    image.resize(900, 900, -60, -40)


def turn_layer(kind):
    return lambda image, layer: layer.transform_rotate_simple(kind, True, 0, 0)


FOLLOWED = {
    "nothing": lambda image, layer: None,
    "crop": lambda image, layer: image.crop(900, 500, 300, 200),
    "crop at the corner": lambda image, layer: image.crop(700, 400, 0, 0),
    "canvas": lambda image, layer: image.resize(3000, 2000, 500, 300),
    "layer to image size": lambda image, layer: layer.resize_to_image_size(),
    "smaller layer boundary": lambda image, layer: layer.resize(700, 500, -100, -50),
    "larger layer boundary": lambda image, layer: layer.resize(1600, 1000, 50, 70),
    "moved": lambda image, layer: layer.set_offsets(-30, 222),
    "moved and cropped": lambda image, layer: (
        layer.set_offsets(-200, 100),
        image.crop(800, 600, 50, 150),
    ),
    "flipped": lambda image, layer: image.flip(Gimp.OrientationType.HORIZONTAL),
    "upside down": lambda image, layer: image.flip(Gimp.OrientationType.VERTICAL),
    "turned by 90°": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES90),
    "turned by 180°": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES180),
    "turned by 270°": lambda image, layer: image.rotate(Gimp.RotationType.DEGREES270),
    "turned and flipped": lambda image, layer: (
        image.rotate(Gimp.RotationType.DEGREES90),
        image.flip(Gimp.OrientationType.HORIZONTAL),
    ),
    "float": lambda image, layer: (
        image.convert_precision(Gimp.Precision.FLOAT_LINEAR),
        image.flip(Gimp.OrientationType.HORIZONTAL),
    ),
    "grey": lambda image, layer: image.convert_grayscale(),
    "palette": lambda image, layer: image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 255, False, False, ""
    ),
}


def check_lies_on(result, layer, name, tolerance):
    """The painting has the layer's pixels wherever the two overlap, and does overlap."""
    (left, top), (x, y) = offsets(result), offsets(layer)
    inside = [max(left, x), max(top, y)]
    inside += [min(left + result.get_width(), x + layer.get_width()) - inside[0]]
    inside += [min(top + result.get_height(), y + layer.get_height()) - inside[1]]
    assert min(inside[2:]) > 100, (name, inside)
    parts = [
        pixels(each, "R'G'B'A u8", inside[0] - dx, inside[1] - dy, *inside[2:])
        for each, dx, dy in ((result, left, top), (layer, x, y))
    ]
    assert_near(*parts, tolerance)
    return inside


def case_the_painting_follows_its_layer():
    for selected in (False, True):
        for name, edit in FOLLOWED.items():
            image, layer = photo()
            if not selected:
                Gimp.Selection.none(image)
            new = painted_meanwhile(image, layer, edit)
            assert not new.remark, (name, new.remark)
            tolerance = {"grey": 1, "palette": 255}.get(name, 0)
            inside = check_lies_on(new.layer, layer, name, tolerance)
            if not selected:
                assert inside[2] == min(new.layer.get_width(), layer.get_width()), name
                assert new.layer.get_mask() is None
            elif name not in ("palette", "float") and not {"layer", "moved"} & set(name.split()):
                sky = image.get_channels()[0]
                left, top = offsets(new.layer)
                values = pixels(sky, "Y' u8", *inside)
                area = inside[0] - left, inside[1] - top, *inside[2:]
                got = pixels(new.layer.get_mask(), "Y u8", *area)
                worst = max(abs(a - b) for a, b in zip(got, values, strict=True))
                assert worst <= 1, (name, worst, area, inside)
            for each in Gimp.get_images():
                each.delete()


def case_the_painting_is_scaled_with_its_layer():
    Gimp.context_set_interpolation(Gimp.InterpolationType.CUBIC)
    for width, height, turn in ((850, 600, False), (3400, 2400, False), (900, 700, True)):
        image, layer = photo()
        Gimp.Selection.none(image)
        smooth(layer)

        def edit(image, layer, size=(width, height), turn=turn):
            if turn:
                image.rotate(Gimp.RotationType.DEGREES270)
            image.scale(*size)

        new = painted_meanwhile(image, layer, edit)
        assert not new.remark, new.remark
        assert (new.layer.get_width(), new.layer.get_height()) == (
            layer.get_width(),
            layer.get_height(),
        )
        check_lies_on(new.layer, layer, "scaled", 12)
        image.delete()


def smooth(layer):
    """Colours that go on slowly, and each place has its own."""
    buffer = layer.get_buffer()
    row = bytearray()
    for x in range(WIDE):
        row += bytes((x * 255 // WIDE, 128 + x % 200 // 4, 0, 255))
    for y in range(HIGH):
        row[2::4] = bytes([y * 255 // HIGH]) * WIDE
        buffer.set(Gegl.Rectangle.new(0, y, WIDE, 1), "R'G'B'A u8", bytes(row))
    buffer.flush()


def case_a_square_layer_is_followed_by_its_pixels():
    turns = Gimp.RotationType
    for name, edit in {
        "flip": lambda i, layer: layer.transform_flip_simple(
            Gimp.OrientationType.VERTICAL, True, 0
        ),
        "turn": turn_layer(turns.DEGREES90),
        "turn back": turn_layer(turns.DEGREES270),
    }.items():
        image, layer = photo()
        Gimp.Selection.none(image)
        square(image, layer)
        new = painted_meanwhile(image, layer, edit)
        assert not new.remark
        check_lies_on(new.layer, layer, name, 0)
        image.delete()


def case_what_cannot_be_followed_is_said():
    for name, edit in {
        "sheared": lambda i, layer: layer.transform_shear(Gimp.OrientationType.HORIZONTAL, 500),
        "turned by 20°": lambda i, layer: layer.transform_rotate(0.35, True, 0, 0),
        "repainted and cropped": lambda i, layer: (
            layer.fill(Gimp.FillType.WHITE),
            i.crop(500, 400, 100, 100),
        ),
        "deleted, and the image scaled": lambda i, layer: (
            i.remove_layer(layer),
            i.scale(300, 200),
        ),
    }.items():
        image, layer = photo()
        Gimp.Selection.none(image)
        new = painted_meanwhile(image, layer, edit)
        assert "lies where the layer was" in new.remark, name
        assert offsets(new.layer) == (60, 40), name
        assert (new.layer.get_width(), new.layer.get_height()) == (WIDE, HIGH)
        image.delete()


def case_the_layer_is_deleted_or_painted_over():
    for edit in (
        lambda image, layer: image.remove_layer(layer),
        lambda image, layer: layer.fill(Gimp.FillType.WHITE),
    ):
        image, layer = photo()
        Gimp.Selection.none(image)
        expected = pixels(layer, "R'G'B'A u8")
        new = painted_meanwhile(image, layer, edit)
        assert not new.remark and offsets(new.layer) == (60, 40)
        assert pixels(new.layer, "R'G'B'A u8") == expected
        assert new.layer.get_image().get_id() == image.get_id()
        image.delete()


def case_the_image_is_closed():
    image, layer = photo()
    expected = pixels(layer, "R'G'B'A u8", *layer.mask_intersect()[1:])
    new = painted_meanwhile(image, layer, lambda image, layer: image.delete())
    made = new.layer.get_image()
    assert made.undo_is_enabled() and made.get_parasite("neural-style-hidden") is None
    assert pixels(new.layer, "R'G'B'A u8") == expected and new.layer.get_mask() is not None
    assert len(images()) == 1


def case_what_a_mask_hides_stays_hidden_where_it_went():
    image, layer = photo()
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    fill_mask(mask, WIDE, HIGH)
    new = painted_meanwhile(image, layer, FOLLOWED["turned by 90°"])
    left, top = offsets(new.layer)
    x, y = offsets(layer)
    area = left - x, top - y, new.layer.get_width(), new.layer.get_height()
    hidden = pixels(layer.get_mask(), "Y u8", *area)
    sky = pixels(image.get_channels()[0], "Y' u8", left, top, *area[2:])
    got = pixels(new.layer.get_mask(), "Y u8")
    assert_near(got, [min(pair) for pair in zip(hidden, sky, strict=True)], 0)


# --- images that nobody sees ---------------------------------------------------------------------


def case_what_a_dead_run_left_behind_is_swept_up():
    image = new_image()
    layer = new_layer(image)
    bad = FOLDER / "killer.png"
    bad.write_bytes(b"fake:kill-plug-in")
    use_fake()
    status, _text = call(image, [layer], style=bad)
    assert status != Gimp.PDBStatusType.SUCCESS
    left = [each for each in Gimp.get_images() if each.get_id() != image.get_id()]
    assert left, "the plug-in was not killed while it received"
    assert [each.get_id() for each in hidden.shown_images()] == [image.get_id()]
    ours = hidden.hidden_image(5, 5, RGB, U8)  # of a run that lives
    painted(image, layer)
    assert {each.get_id() for each in images()} == {image.get_id(), ours.get_id()}
    hidden.sweep(own=True)
    assert not ours.is_valid() and image.is_valid()


def case_images_that_plug_ins_work_on_are_not_offered_as_styles():
    image, work = new_image(), new_image()
    work.undo_disable()
    copy = hidden.hidden_image(5, 5, RGB, U8)
    assert [each.get_id() for each in hidden.shown_images()] == [image.get_id()]
    hidden.give_away(copy, False)
    assert len(hidden.shown_images()) == 2


def case_a_file_that_gimp_opens_is_seen_as_it_is_now():
    style_files = plugin_module("pixels.style_files")
    seen = []
    for color in (b"\xff\0\0", b"\xff\0\0", b"\0\xff\0"):
        if seen[:1] != [array.array("B", color * (W * H))]:
            image = new_image()
            layer = new_layer(image, alpha=False)
            area = Gegl.Rectangle.new(0, 0, W, H)
            layer.get_buffer().set(area, "R'G'B' u8", color * (W * H))
            where = Gio.File.new_for_path(str(FOLDER / "changing.xcf"))
            Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, where, None)
            image.delete()
        copy = style_files.opened_by_gimp(FOLDER / "changing.xcf")
        seen.append(pixels(copy.drawable, "R'G'B' u8"))
        copy.close()
        assert seen[-1].tobytes() == color * (W * H)
    assert not hidden.shown_images()
    hidden.sweep(own=True)
    assert not Gimp.get_images()


def case_one_killed_before_an_image_is_marked_leaves_none():
    image = new_image()
    layer = new_layer(image)
    where = Gio.File.new_for_path(str(FOLDER / "other.xcf"))
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, where, None)
    file = Path(CONTEXT["plugin"], "pixels", "hidden.py")
    source = file.read_text()
    marks, ends = "    image.attach_parasite(", "    copy.undo_disable()"
    for before, condition in ((marks, "True"), (marks, "image.get_width() > 1"), (ends, "True")):
        assert source.count(before) == 1
        killed = f"    if {condition}:\n        os.kill(os.getpid(), 9)\n"
        file.write_text(source.replace(before, killed + before))
        try:
            status, _text = call(image, [layer], style=FOLDER / "other.xcf")
        finally:
            file.write_text(source)
        assert status != Gimp.PDBStatusType.SUCCESS
        left = [each for each in Gimp.get_images() if each.get_id() != image.get_id()]
        assert left, (before, condition)
        assert [each.get_id() for each in hidden.shown_images()] == [image.get_id()]
        painted(image, layer)
        assert [each.get_id() for each in images()] == [image.get_id()], (before, condition)
        assert not list(Path(tempfile.gettempdir()).glob("neural-style-*"))


# --- the engine is to be another one while there is a painting -----------------------------------


class Quiet:
    """Stands for what a series shows things on; remembers what it was given to deliver."""

    def __init__(self, image, layer):
        self.image, self.layers = image, [layer]
        self.view = self.caption = self.pane = self.subject = self
        self.shown, self.then = layer, None

    def deliver(self, source, choice, canvas, name, then):
        canvas.discard()
        source.close()
        self.then = then

    def ignored(self, *_arguments, **_more):
        pass

    say = set_text = set_tooltip_text = show_painted = session_changed = session_failed = ignored
    series_dropped = ignored


def a_painting_under_way(image, layer, edit=lambda: None, **where):
    """A series that paints a layer with the scripted engine, its session, and what it shows.

    ``edit`` is done before the first of the pictures is read.
    """
    engine, series = plugin_module("engine.client"), plugin_module("dialog.series")
    quiet = Quiet(image, layer)
    start = lambda: engine.start(Path(CONTEXT["plugin"]), os.environ)  # noqa: E731
    session = plugin_module("engine.session").Session(start, quiet)
    work = series.Series(session, quiet, quiet, quiet, quiet)
    style = choices.StyleChoice(STYLE.as_uri(), name="A style", **where)
    choice = choices.Choice(styles=(style,))
    work.begin(series.Order(choice, (layer,), "", time.monotonic()), False)
    edit()
    ticked(session, lambda: session.progress is not None)
    return work, session, quiet


def ticked(session, condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, session.phase
        session.tick()
        time.sleep(0.01)


def case_an_engine_that_is_to_be_replaced_paints_to_its_end():
    use_fake("wait")
    image = new_image()
    layer = new_layer(image)
    work, session, quiet = a_painting_under_way(image, layer)
    try:
        pid, painting = session.pid, session.is_painting
        work.afterwards(session.restart)  # as when the network has come
        assert painting and session.pid == pid and session.is_painting
        session.keep()
        ticked(session, lambda: quiet.then is not None)
        assert session.pid == pid, "the result is not delivered yet"
        quiet.then(layer)
        assert session.pid not in (pid, 0)
        work.afterwards(session.restart)  # now there is nothing to wait for
        assert session.pid != pid
    finally:
        session.close()
    assert len(images()) == 1, "a hidden image is left"


def case_the_place_of_a_style_is_that_of_the_click():
    use_fake("wait")
    for name in ("crop", "moved", "image closed"):
        image, layer = photo()
        Gimp.Selection.none(image)
        strips = style(image, layer, where="Sky").mask.strips
        expected = b"".join(part for _y, _rows, part in strips)
        assert len(set(expected)) > 20
        edit = {**FOLLOWED, **EDITS}[name]

        def edited(image=image, layer=layer, edit=edit):
            edit(image, layer)

        _work, session, _quiet = a_painting_under_way(image, layer, edited, where="Sky")
        session.close()
        assert (FOLDER / "dump" / "mask-0.raw").read_bytes() == expected, name
        for each in Gimp.get_images():
            each.delete()


def ended_early(end):
    """Ends a painting; what waited for its end must have been done then."""
    use_fake("wait")
    image = new_image()
    work, session, _ = a_painting_under_way(image, new_layer(image))
    done = []
    work.afterwards(lambda: done.append(True))
    getattr(session, end)()
    if end == "cancel":
        ticked(session, lambda: done)
    session.close()
    assert done and images() == [image], end
    image.delete()


def case_a_painting_that_ends_early_leaves_no_image():
    for end in ("cancel", "close", "restart"):
        ended_early(end)


def case_an_image_that_goes_after_it_was_listed_is_none():
    kept, gone = new_image(), new_image()
    listed = Gimp.get_images()
    before = Gimp.get_plug_in().get_pdb_error_handler()
    gone.delete()

    class Late:
        def __getattr__(self, name):
            return (lambda: listed) if name == "get_images" else getattr(Gimp, name)

    hidden.Gimp = Late()
    try:
        shown = [each.get_id() for each in hidden.shown_images()]
        hidden.sweep()
    finally:
        hidden.Gimp = Gimp
    assert kept.get_id() in shown and gone.get_id() not in shown
    assert Gimp.get_plug_in().get_pdb_error_handler() == before
    kept.delete()
