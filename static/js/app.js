// What every page runs. Chain and chart modules are loaded by the pages that need them.

import * as age from "./age.js";
import * as details from "./details.js";
import * as dialogs from "./dialogs.js";
import * as forms from "./forms.js";
import * as keys from "./keys.js";
import * as live from "./live.js";
import * as notify from "./notify.js";
import * as sort from "./sort.js";
import * as toast from "./toast.js";
import * as tray from "./tray.js";

for (const part of [forms, details, dialogs, toast, tray, keys, age, notify, live, sort]) part.start();
document.body.addEventListener("htmx:load", (event) => age.tick(event.detail.elt));
