# Abstract base classes: without a metaclass, and so without virtual subclasses.


def abstractmethod(funcobj):
    _set_abstract(funcobj)
    return funcobj


class ABC:
    def __init_subclass__(cls):
        super().__init_subclass__()
        names = set()
        for base in _mro(cls)[1:]:
            for name in _abstract_names(base):
                if _is_abstract(_class_attribute(cls, name)):
                    names.add(name)
        for name, value in cls.__dict__.items():
            if _is_abstract(value):
                names.add(name)
        _set_abstract_names(cls, tuple(sorted(names)))
