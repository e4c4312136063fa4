"""One HTML file that shows a run, or many, and needs nothing else: no network, no server, no TensorFlow.

reading      what the files of a run folder say, and what could not be read
differences  the settings that are not the defaults
pictures     the worst and best images with a slider between truth and prediction
table        tables that sort;   drawing  intervals as small SVG pictures inside of them
run_page     what the page of a run says;   sweep_page  that of many
write        which page, and the file
"""

from dmf_cli.report.write import after_run as after_run
from dmf_cli.report.write import write as write
