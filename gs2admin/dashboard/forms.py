"""How every form looks: Tabler's classes on the widgets; labels, help and errors are tied by components/_field.html."""
from __future__ import annotations

from typing import Any

from django import forms

_CLASSES = {
    forms.Select: "form-select", forms.SelectMultiple: "form-select", forms.CheckboxInput: "form-check-input",
    forms.RadioSelect: "form-check-input",
}


class PageForm(forms.Form):
    """A form of our pages. Give it the actor's choices by keyword in a subclass; services do the checking."""

    use_required_attribute = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            css = next((css for kind, css in _CLASSES.items() if isinstance(field.widget, kind)), "form-control")
            field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {css}".strip()
            if isinstance(field.widget, forms.Textarea):
                field.widget.attrs.setdefault("rows", 3)
                field.widget.attrs.pop("cols", None)


class ReasonForm(PageForm):
    """Why somebody does it; goes to the activity log."""

    reason = forms.CharField(
        label="Why", required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes to the activity log, for the people who look later.",
    )
