// The ticket: a price type shows the prices it needs.

import { follow } from "./needs.js";

follow('form select[name="price_type"]', { price: ["LIMIT", "SL"], trigger_price: ["SL", "SL-M"] });
