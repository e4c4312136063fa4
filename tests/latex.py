"""Pages that pdflatex has to set without an overfull line."""

import subprocess


def typeset(folder, body):
    """Compile ``body`` as an article of two columns in ``folder``, whose files it may read."""
    head = r"\documentclass[twocolumn]{article}\usepackage{booktabs}\begin{document}"
    (folder / "page.tex").write_text(head + body + r"\end{document}")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout, done.stdout
