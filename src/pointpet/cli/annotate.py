"""`pointpet annotate`."""

from __future__ import annotations

from pointpet.cli.console import Console
from pointpet.cli.options import CohortFile, Quiet, Verbose
from pointpet.cli.page import NoBrowser, Port, announce, require_web

NAME = "annotate"


def command(
    cohort: CohortFile,
    port: Port = 0,
    no_browser: NoBrowser = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Local web page: one click a patient sets the tumour's centre."""
    console = Console(quiet=quiet, verbose=verbose)
    address = announce(console, port)
    require_web()
    from pointpet.pipeline.annotate import AnnotationSession, own_manifest

    with own_manifest(cohort):
        session = AnnotationSession(cohort)
        session.warm_up()  # the first scan is read while the server's libraries load
        from pointpet.web.annotate import annotate_application
        from pointpet.web.application import serve

        serve(annotate_application(session), address, browser=not no_browser)
