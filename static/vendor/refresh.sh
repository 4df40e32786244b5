#!/bin/sh
# Copies the pinned versions of package.json out of node_modules. Source map references are
# removed because manifest storage refuses a file that points at a map we do not ship.
set -eu
cd "$(dirname "$0")/../.."
take() { sed '/^\/\/# sourceMappingURL=/d' "node_modules/$1" > "static/vendor/$2"; }
take htmx.org/dist/htmx.min.js htmx.min.js
take lightweight-charts/dist/lightweight-charts.standalone.production.js lightweight-charts.min.js
take uplot/dist/uPlot.iife.min.js uplot.min.js
take uplot/dist/uPlot.min.css uplot.min.css
mkdir -p static/vendor/licences
cp node_modules/htmx.org/LICENSE static/vendor/licences/htmx.txt
cp node_modules/lightweight-charts/LICENSE static/vendor/licences/lightweight-charts.txt
cp node_modules/uplot/LICENSE static/vendor/licences/uplot.txt
cp node_modules/daisyui/LICENSE static/vendor/licences/daisyui.txt
cp node_modules/tailwindcss/LICENSE static/vendor/licences/tailwindcss.txt
