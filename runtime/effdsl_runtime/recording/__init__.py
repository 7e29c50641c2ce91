"""From what was observed to the record that is stored: metrics, tables, the code that measured them."""
